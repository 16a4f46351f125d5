"""Run SQL statements with the catalog weir and print their rows as JSON lines: sql.py STATEMENT…"""

import sys

from pyspark.sql import SparkSession

if len(sys.argv) < 2:
    sys.exit(__doc__)

spark = SparkSession.builder.appName("sql").getOrCreate()
for statement in sys.argv[1:]:
    for row in spark.sql(statement).toJSON().toLocalIterator():
        print(row)
spark.stop()
