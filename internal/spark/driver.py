"""Runs one job of weir on Spark: driver.py JOB.json, a file or the URI of one

The job was checked and resolved by `pipeline submit`. The cursor of what has been processed is read from the destination table and goes
back into it with the rows, in one commit, in the form that the embedded engine reads: either can go on where the other stopped.
There is no checkpoint beside the table. The last line on stdout is {"rows_in", "rows_out", "commits"}; exit code 1 with one line on stderr.
With a URI the same goes to result.json beside it, and the session's settings come from spark-submit.
"""

import hashlib
import json
import os
import sys
import urllib.request
from datetime import datetime

from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.avro.functions import from_avro


class Refused(Exception):
    """Something that a person has to decide."""


def compact(v):
    return json.dumps(v, separators=(",", ":"))


class Table:
    """A destination with the job's position in it; compare internal/lake/cursor.go."""

    def __init__(self, spark, job, name):
        self.spark, self.job, self.name = spark, job, "weir." + ".".join("`%s`" % p for p in name.split("."))

    def exists(self):
        return self.spark.catalog.tableExists(self.name.replace("`", ""))

    def schema(self):
        return self.spark.table(self.name).schema

    def ancestors(self):
        """The snapshots of the head, newest first, and whether older ones have been expired."""
        rows = {r.snapshot_id: r for r in self.spark.sql("select snapshot_id, parent_id, summary from %s.snapshots" % self.name).collect()}
        head = [r.snapshot_id for r in self.spark.sql("select snapshot_id from %s.refs where name = 'main'" % self.name).collect()]
        line, at = [], head[0] if head else None
        while at in rows:
            line.append(rows[at])
            at = rows[at].parent_id
        return line, at is not None

    def position(self):
        """cursor, commit, seq and the head's id, or Refused if the table was rolled back."""
        line, cut = self.ancestors()
        own = [s.summary for s in line if s.summary.get("weir.job") == self.job]
        raw = [r.value for r in self.spark.sql("show tblproperties %s" % self.name).collect() if r.key == "weir.cursor." + self.job]
        prop = json.loads(raw[0]) if raw else None
        if own:
            top = {"cursor": json.loads(own[0]["weir.cursor"]), "commit": own[0]["weir.commit"], "seq": int(own[0]["weir.seq"])}
        else:
            top = None
        if prop and (top or not cut):
            if not top or not self.holds(own, cut, prop):
                raise Refused("table %s was rolled back: `pipeline resume %s` tells what to do" % (self.name, self.job))
        return top or prop or {"cursor": None, "commit": "", "seq": 0}

    @staticmethod
    def holds(own, cut, prop):
        """Is what the property says a part of this history?"""
        return any(s["weir.commit"] == prop["commit"] for s in own) or cut and all(int(s["weir.seq"]) > prop["seq"] for s in own)

    def commit(self, df, at, cursor, replace=False):
        """Rows and cursor in one commit. Iceberg repeats an append on a moved head, so what it landed on is looked at afterwards."""
        now = self.position()
        if now["commit"] != at["commit"]:
            raise Refused("another worker has moved the cursor of job %s: it is at commit %s, this one started from %s" % (self.job, now["commit"], at["commit"] or "none"))
        cid = hashlib.sha256(compact([self.job, at, cursor]).encode()).hexdigest()[:24]
        w = df.writeTo(self.name)
        for k, v in (("job", self.job), ("commit", cid), ("cursor", compact(cursor)), ("seq", str(at["seq"] + 1))):
            w = w.option("snapshot-property.weir." + k, v)
        if replace:
            line, _ = self.ancestors()
            if line:  # a commit that lands meanwhile fails this one
                w = w.option("isolation-level", "serializable").option("validate-from-snapshot-id", str(line[0].snapshot_id))
            w.overwrite(F.lit(True))
        else:
            w.append()
        self.spark.sql("refresh table " + self.name)
        line, _ = self.ancestors()
        own = [s for s in line if s.summary.get("weir.job") == self.job]
        mine = [i for i, s in enumerate(own) if s.summary["weir.commit"] == cid]
        before = own[mine[0] + 1].summary["weir.commit"] if mine and mine[0] + 1 < len(own) else ""
        if not mine or (before and before != at["commit"]):
            raise Refused("two workers committed to %s at the same moment: rows may be there twice; roll snapshot %s back" % (self.name, own[mine[0]].snapshot_id if mine else "?"))
        added = own[mine[0]].summary.get("added-records", "0")
        return {"cursor": cursor, "commit": cid, "seq": at["seq"] + 1}, int(added)


def value_of(at, kind):
    c = at["cursor"]
    if c is None:
        return None
    if c["kind"] != kind or c["version"] != 1:
        raise Refused("the table's cursor is of kind %s version %s, expected %s version 1" % (c["kind"], c["version"], kind))
    return c["value"]


def fitted(df, table):
    """Columns in the table's order with its types; a value that does not fit is an error (ANSI)."""
    want = table.schema()
    missing = [f.name for f in want if f.name not in df.columns] + [c for c in df.columns if c not in want.names]
    if missing:
        raise Refused("table %s and the query differ in the columns %s" % (table.name, ", ".join(missing)))
    return df.select(*[F.col("`%s`" % f.name).cast(f.dataType).alias(f.name) for f in want])


# report: SQL to table


def when(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def report(spark, job):
    r, table = job["report"], Table(spark, job["name"], job["table"])
    span = r.get("interval")
    args = {"run_id": job["run"]}
    if span:
        args.update(interval_start=when(span["start"]), interval_end=when(span["end"]))
    spark.sql("use weir")
    sources, rows_in = {}, 0
    for name in r["sources"] or []:
        line, _ = Table(spark, job["name"], name).ancestors()
        sources[name] = line[0].snapshot_id if line else 0
        rows_in += int(line[0].summary.get("total-records", 0)) if line else 0
    df = spark.sql(r["query"], args={k: v for k, v in args.items() if ":" + k in r["query"]})
    if not table.exists():
        spark.sql("create namespace if not exists weir." + ".".join("`%s`" % p for p in job["table"].split(".")[:-1]))
        cols = ", ".join("`%s` %s" % (f.name, f.dataType.simpleString()) for f in df.schema)
        spark.sql("create table if not exists %s (%s) using iceberg tblproperties ('format-version'='2', 'write.parquet.compression-codec'='zstd')" % (table.name, cols))
    at = table.position()
    had = value_of(at, "report") or {}
    spans = had.get("intervals") or []
    done = {"run": job["run"], "sources": sources}
    if r["mode"] == "append":
        if not span:
            raise Refused("mode append needs a data interval: --for DATE")
        if any(when(s["start"]) <= when(span["start"]) and when(span["end"]) <= when(s["end"]) for s in spans):
            return 0, 0, 0  # appended before
        if any(when(span["start"]) < when(s["end"]) and when(s["start"]) < when(span["end"]) for s in spans):
            raise Refused("a part of the data interval was appended before; appending it again would double rows")
        spans = merged(spans + [span])
    if spans:
        done["intervals"] = spans
    df = fitted(df, table)
    column = r.get("interval_column")
    if column:
        c = F.col("`%s`" % column)
        inside = F.coalesce((c >= F.lit(args["interval_start"])) & (c < F.lit(args["interval_end"])), F.lit(False))
        df = df.persist()
        strays = df.where(~inside).count()
        if strays:
            raise Refused("%d rows of the result lie outside the data interval, by interval_column %s; nothing was written" % (strays, column))
        rows_out = df.count()
        df = df.unionByName(spark.table(table.name).where(~inside))
    _, added = table.commit(df, at, {"kind": "report", "version": 1, "value": done}, replace=r["mode"] == "replace")
    return rows_in, rows_out if column else added, 1


def merged(spans):
    out = []
    for s in sorted(spans, key=lambda s: when(s["start"])):
        if out and when(s["start"]) <= when(out[-1]["end"]):
            out[-1] = {"start": out[-1]["start"], "end": max(out[-1]["end"], s["end"], key=when)}
        else:
            out.append(dict(s))
    return out


# ingest: Kafka Avro to table


def bounds(spark, kafka, topic):
    """First and stable last position of each partition, read committed."""
    jvm = spark._jvm
    props = jvm.java.util.Properties()
    plain = "org.apache.kafka.common.serialization.ByteArrayDeserializer"
    for k, v in {**kafka, "isolation.level": "read_committed", "key.deserializer": plain, "value.deserializer": plain}.items():
        props.setProperty(k, v)
    consumer = jvm.org.apache.kafka.clients.consumer.KafkaConsumer(props)
    try:
        parts = jvm.java.util.ArrayList()
        for p in consumer.partitionsFor(topic):
            parts.add(jvm.org.apache.kafka.common.TopicPartition(topic, p.partition()))
        first, last = consumer.beginningOffsets(parts), consumer.endOffsets(parts)
        return {p.partition(): (first[p], last[p]) for p in parts}
    finally:
        consumer.close()


def starts(i, value, ends):
    if value and (value["topic_id"] != i["topic_id"] or value["cluster"] != i["cluster"]):
        raise Refused("the table's positions belong to topic id %s on cluster %s, but topic %s now has id %s on cluster %s" % (value["topic_id"], value["cluster"], i["topic"], i["topic_id"], i["cluster"]))
    known, at = (value or {}).get("next") or {}, {}
    for p, (first, end) in ends.items():
        at[p] = known.get(str(p), end if not value and i["start"] == "latest" else first)
        if at[p] < first:
            raise Refused("messages %d to %d of partition %d of topic %s are gone: the topic's retention was shorter than this job's delay" % (at[p], first - 1, p, i["topic"]))
        if at[p] > end:
            raise Refused("the table is at position %d of partition %d of topic %s, which ends at %d: the topic has lost messages" % (at[p], p, i["topic"], end))
    return at


def share(at, ends, rows):
    """At most about rows of what lies between, from each partition its part."""
    backlog = sum(end - at[p] for p, (_, end) in ends.items())
    return {p: end if backlog <= rows else at[p] + max(min(end - at[p], 1), (end - at[p]) * rows // backlog) for p, (_, end) in ends.items()}


def ingest(spark, job):
    i, table = {**job["ingest"], "schemas": {}}, Table(spark, job["name"], job["table"])
    i["schema"] = schema(i, i["schema_id"])  # as it was registered: with the defaults that older messages need
    kafka = {**i["kafka"], **secrets().get("kafka", {})}
    ends = bounds(spark, kafka, i["topic"])
    at = table.position()
    value, total, commits = value_of(at, "offsets"), 0, 0
    begin = starts(i, value, ends)
    while any(begin[p] < end for p, (_, end) in ends.items()) or not value:
        to = share(begin, ends, i["rows"])
        rows = decoded(spark, i, kafka, table, begin, to)
        value = {"cluster": i["cluster"], "topic": i["topic"], "topic_id": i["topic_id"], "next": {str(p): n for p, n in sorted(to.items())}}
        at, added = table.commit(rows, at, {"kind": "offsets", "version": 1, "value": value})
        total, commits, begin = total + added, commits + 1, to
    return total, total, commits


def decoded(spark, i, kafka, table, begin, to):
    reader = spark.read.format("kafka").option("subscribe", i["topic"]).option("includeHeaders", "true").option("failOnDataLoss", "true")
    for k, v in {**kafka, "isolation.level": "read_committed"}.items():
        reader = reader.option("kafka." + k, v)
    offsets = [compact({i["topic"]: {str(p): n for p, n in o.items()}}) for o in (begin, to)]
    raw = reader.option("startingOffsets", offsets[0]).option("endingOffsets", offsets[1]).load()
    framed = (F.length("value") >= 5) & (F.hex(F.expr("substring(value, 1, 1)")) == "00")
    raw = raw.withColumn("id", F.when(framed, F.conv(F.hex(F.expr("substring(value, 2, 4)")), 16, 10).cast("int")))
    wanted = {r.id for r in raw.select("id").distinct().collect() if r.id is not None}
    row = F.lit(None)
    for n in sorted(wanted):
        made = from_avro(F.expr("substring(value, 6)"), schema(i, n), {"mode": "PERMISSIVE", "avroSchema": i["schema"]})
        row = F.when(F.col("id") == n, made).otherwise(row)
    raw = raw.withColumn("row", row)
    bad = raw.where(F.col("row").isNull()).select("partition", "offset").first() if wanted or raw.first() else None
    if bad:
        raise Refused("the message at partition %d offset %d cannot be decoded; nothing of this batch was committed: `pipeline run` keeps such messages in quarantine" % tuple(bad))
    want, cols = table.schema(), []
    for f in want:
        if f.name == "_kafka":
            c = F.struct(F.col("topic"), F.col("partition"), F.col("offset"), F.col("timestamp"))
        elif f.name == "_load":
            c = stamp()
        elif wanted and f.name in json_fields(i):
            c = F.col("row.`%s`" % f.name)
        else:
            c = F.lit(None)
        cols.append(c.cast(f.dataType).alias(f.name))
    return raw.select(*cols)


def json_fields(i):
    return {f["name"] for f in json.loads(i["schema"])["fields"]}


def schema(i, n):
    if str(n) not in i["schemas"]:
        req = urllib.request.Request("%s/schemas/ids/%d" % (i["registry"].rstrip("/"), n))
        for k, v in secrets().get("registry", {}).items():
            req.add_header(k, v)
        with urllib.request.urlopen(req, timeout=30) as r:
            i["schemas"][str(n)] = json.load(r)["schema"]
    return i["schemas"][str(n)]


CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def stamp():
    """_load from the header weir; the layout is that of internal/stamp."""
    h = "get(filter(headers, h -> h.key = 'weir'), 0).value"
    part = lambda at, n: "substring(%s, %d, %d)" % (h, at, n)
    number = lambda at, n: "cast(conv(hex(%s), 16, -10) as bigint)" % part(at, n)
    # A ULID is 128 bits in 26 digits of 5 bits, the first of which has only 3: two zero bits in front make 130.
    digits = F.udf(lambda b: "".join(CROCKFORD[(int.from_bytes(b, "big") >> 5 * k) & 31] for k in range(25, -1, -1)) if b is not None else None)
    there = F.expr("length(%s) = 37 and hex(%s) = '01'" % (h, part(1, 1)))
    body = F.struct(digits(F.expr(part(2, 16))).alias("run"), F.expr(number(18, 4)).cast("int").alias("shard"), F.expr(number(22, 8)).alias("seq"),
                    F.expr("timestamp_micros(%s)" % number(30, 8)).alias("intended"))
    return F.when(there, body)


def secrets():
    return SECRETS


def found_secrets(job):
    """By the environment, or by reference to AWS Secrets Manager: {"conf", "kafka", "registry"}."""
    if not job.get("secret"):
        return json.loads(os.environ.get("WEIR_SPARK_SECRETS", "{}"))
    try:
        import boto3
    except ImportError:
        raise Refused("the job's passwords are in AWS Secrets Manager, and boto3 is not installed to read them")
    return json.loads(boto3.client("secretsmanager").get_secret_value(SecretId=job["secret"])["SecretString"])


SECRETS = {}


class Files:
    """Files by URI, by way of Hadoop."""

    def __init__(self, spark):
        self.jvm, self.conf = spark._jvm, spark._jsc.hadoopConfiguration()

    def at(self, uri):
        path = self.jvm.org.apache.hadoop.fs.Path(uri)
        return path.getFileSystem(self.conf), path

    def read(self, uri):
        fs, path = self.at(uri)
        f = fs.open(path)
        try:
            return self.jvm.org.apache.commons.io.IOUtils.toString(f, "UTF-8")
        finally:
            f.close()

    def write(self, uri, text):
        fs, path = self.at(uri)
        f = fs.create(path, True)
        try:
            f.write(bytearray(text.encode()))
        finally:
            f.close()


KINDS = {"report": report, "ingest": ingest}


def words(e):
    """One line; the whole of an error is in Spark's log."""
    if isinstance(e, Refused):
        return str(e)
    return "%s: %s" % (type(e).__name__, (str(e).strip().splitlines() or [""])[0])


def run(spark, job):
    rows_in, rows_out, commits = KINDS[job["kind"]](spark, job)
    return {"rows_in": rows_in, "rows_out": rows_out, "commits": commits}


def here(file):
    with open(file, encoding="utf-8") as f:
        job = json.load(f)
    SECRETS.update(found_secrets(job))
    b = SparkSession.builder.appName("weir " + job["name"])
    for k, v in {**job["conf"], **SECRETS.get("conf", {})}.items():
        b = b.config(k, v)
    spark = b.getOrCreate()
    try:
        return run(spark, job)
    finally:
        spark.stop()


def there(uri):
    spark = SparkSession.builder.getOrCreate()
    files, result = Files(spark), uri.rsplit("/", 1)[0] + "/result.json"
    try:
        job = json.loads(files.read(uri))
        SECRETS.update(found_secrets(job))
        for k, v in SECRETS.get("conf", {}).items():
            spark.conf.set(k, v)
        out = run(spark, job)
        files.write(result, compact(out))
        return out
    except Exception as e:
        files.write(result, compact({"error": words(e)}))
        raise
    finally:
        spark.stop()


try:
    print(compact(there(sys.argv[1]) if "://" in sys.argv[1] else here(sys.argv[1])))
except Exception as e:
    sys.exit("weir: " + words(e))
