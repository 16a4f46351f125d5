"""Count and sum up a table so that another engine's answer can be compared with Spark's.

    checksum.py TABLE EXPRESSION…     e.g. checksum.py weir.bank.transactions id 'cast(amount as string)'

Prints {"rows": N, "checksum": S}. S is the sum over all rows of the first 8 hex digits of
md5(concat_ws('|', EXPRESSION…)). concat_ws leaves a null out; an expression that must tell null from absent says
coalesce(x, 'null'). The sum does not depend on the order of rows; a lost, doubled or altered row changes it.
"""

import json
import sys

from pyspark.sql import SparkSession

if len(sys.argv) < 3:
    sys.exit(__doc__)

table, expressions = sys.argv[1], sys.argv[2:]
spark = SparkSession.builder.appName("checksum").getOrCreate()
# decimal(38, 0): 2^32 per row and no overflow, however many rows there are.
rows, checksum = spark.sql(
    "select count(*), coalesce(sum(cast(conv(substr(md5(concat_ws('|', {})), 1, 8), 16, 10) as decimal(20, 0))), 0) from {}".format(
        ", ".join(expressions), table
    )
).first()
print(json.dumps({"rows": rows, "checksum": int(checksum)}))
spark.stop()
