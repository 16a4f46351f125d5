"""Runs one job of weir on Spark: driver.py JOB.json, a file or the URI of one

The job was checked and resolved by `pipeline submit`. The cursor of what has been processed is read from the destination table and goes
back into it with the rows, in one commit, in the form that the embedded engine reads: either can go on where the other stopped.
There is no checkpoint beside the table. The last line on stdout is {"rows_in", "rows_out", "commits", …}; exit code 1 with one line on stderr.
What is in lines.py stands in front of it: only what is in the script itself goes to the executors.
With a URI the same goes to result.json beside it, and the session's settings come from spark-submit.
"""

import gzip
import hashlib
import json
import os
import re
import sys
import urllib.parse
import urllib.request
import zlib

from pyspark import StorageLevel
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

    def commit(self, df, at, cursor, replace=False, only=None):
        """Rows and cursor in one commit. replace: instead of all rows, or of those of the condition only. Iceberg repeats an append on a moved head, so what it landed on is looked at afterwards."""
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
            w.overwrite(F.lit(True) if only is None else only)
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


# etl: files to table

SPARK_TYPES = {"string": "string", "int": "int", "bigint": "bigint", "double": "double", "boolean": "boolean", "date": "date", "timestamp": "timestamp_ntz"}
REFUSED = "reason string, error string, file string, line bigint, column string, raw binary, business_date date, sha256 string"
KEEP_DAYS = 120


def etl(spark, job):
    e, table = job["etl"], Table(spark, job["name"], job["table"])
    total = {"rows_in": 0, "rows_out": 0, "rejected": 0, "filtered": 0, "commits": 0}
    at = table.position()
    check(spark, e)
    for d in e["deliveries"]:
        had = (value_of(at, "files") or {}).get("days", {})
        days = planned(e, d, had)
        if days is None:
            continue
        at, done = load(spark, job, table, d, at, {"kind": "files", "version": 1, "value": {"days": days}})
        for k, n in done.items():
            total[k] += n
    return total


def planned(e, d, had):
    """What the cursor says after a delivery; None if its content is in the table. The rules are those of internal/etl/source.go."""
    day, old = d["day"], had.get(d["day"])
    if old == d["digest"]:
        return None
    if e["mode"] == "append" and old and day:
        raise Refused("the files of %s are others than those that were loaded: with mode: replace a corrected delivery takes the place of its date" % day)
    if e["mode"] == "append" and not old and len(had) >= KEEP_DAYS and day < min(had):
        raise Refused("%s is older than the %d dates whose files are remembered: they may be in the table already" % (day, KEEP_DAYS))
    days = {**had, day: d["digest"]}
    return {k: days[k] for k in sorted(days)[-KEEP_DAYS:]}


def raw_columns(e):
    return ["`%s` %s" % (c["name"], SPARK_TYPES.get(c["type"], c["type"])) for c in e["columns"]]


def check(spark, e):
    """Expressions that Spark does not take are told before a file is read."""
    empty = spark.createDataFrame([], ", ".join(raw_columns(e) + ["business_date date", "_source_file string", "_line bigint"]))
    for path, sql in [("select[%d].sql" % i, s["sql"]) for i, s in enumerate(e["select"])] + ([("where", e["where"])] if e["where"] else []):
        try:
            empty.select(F.expr(sql))
        except Exception as x:
            raise Refused("%s: Spark does not take this expression: %s" % (path, (str(x).strip().splitlines() or [""])[0]))


def opened(f, data):
    """A file's bytes, unpacked, and a way to see whether they are those that were found."""
    h = hashlib.sha256()

    class Hashed(io.RawIOBase):
        def readable(self):
            return True

        def readinto(self, b):
            n = data.readinto(b)
            h.update(memoryview(b)[:n])
            return n

    raw = io.BufferedReader(Hashed(), 1 << 20)

    def same():
        while raw.read(1 << 20):
            pass
        return h.hexdigest() == f["sha256"]

    return (gzip.GzipFile(fileobj=raw) if f["name"].endswith(".gz") else raw), same


def typed(e, d, f, data):
    """Rows for the frame: the columns, file and line, and what is wrong with those that are refused."""
    stream, same = opened(f, data)
    none = (None,) * len(e["columns"])
    try:
        for line, raw, row, bad in Loader(e, f["path"]).rows(stream):
            if bad:
                yield none + (f["name"], line, (bad[0], bad[2], f["name"], line, bad[1], bytearray(raw), d["day"], f["sha256"]))
            else:
                yield row + (f["name"], line, None)
    except (EOFError, gzip.BadGzipFile, zlib.error) as x:
        raise BadFile("%s: the gzip file is cut or broken: %s" % (f["path"], x))
    if not same():
        raise BadFile("%s: the file changed while it was read" % f["path"])


def lines_of(spark, e, d):
    """One task a file. A file that every executor sees at its path is streamed; others come by way of Hadoop, as a whole."""
    local = [f for f in d["files"] if f["uri"].startswith("file:")]
    away = {f["uri"]: f for f in d["files"] if not f["uri"].startswith("file:")}
    parts = []
    if local:

        def read(f):
            with open(urllib.parse.unquote(f["uri"][len("file://"):]), "rb", buffering=0) as data:
                yield from typed(e, d, f, data)

        parts.append(spark.sparkContext.parallelize(local, len(local)).flatMap(read))
    if away:

        def unpack(pair):
            return typed(e, d, away[pair[0]], io.BytesIO(pair[1]))

        parts.append(spark.sparkContext.binaryFiles(",".join(away), len(away)).flatMap(unpack))
    return parts[0] if len(parts) == 1 else parts[0].union(parts[1])


def load(spark, job, table, d, at, cursor):
    """One delivery: quarantine first, then rows and cursor, as internal/etl/sink.go does."""
    e, day = job["etl"], d["day"]
    schema = ", ".join(raw_columns(e) + ["_source_file string", "_line bigint", "__bad struct<%s>" % REFUSED.replace("business_date date", "business_date string").replace(" ", ":").replace(",:", ",")])
    df = spark.createDataFrame(lines_of(spark, e, d), schema, verifySchema=False).persist(StorageLevel.DISK_ONLY)
    try:
        bad = df.where("__bad is not null").select("__bad.*").withColumn("business_date", F.expr("cast(nullif(business_date, '') as date)"))
        rejected, rows = df.where("__bad is not null").count(), df.where("__bad is null").count()
        limits(e, rejected, rejected + rows)
        good = df.where("__bad is null").drop("__bad").withColumn("business_date", F.lit(day or None).cast("date"))
        if e["where"]:
            good = good.where(F.expr(e["where"]))
        want = table.schema()
        cols = {s["name"]: F.expr(s["sql"]) for s in e["select"]}
        for c in ["_source_file", "_line"] + ([f.name for f in want if f.name == "business_date"]):
            cols[c] = F.col(c)
        good = good.select(*[cols.get(f.name, F.lit(None)).cast(f.dataType).alias(f.name) for f in want])
        quarantine(spark, job, bad, rejected, cursor)
        at, added = published(spark, table, good, at, cursor, e["mode"], day)
        return at, {"rows_in": rows + rejected, "rows_out": added, "rejected": rejected, "filtered": rows - added, "commits": 1}
    finally:
        df.unpersist()


def limits(e, rejected, lines):
    if rejected > e["max_rows"]:
        raise Refused("too many rows refused: %d lines, at most %d are kept; nothing of the delivery was committed" % (rejected, e["max_rows"]))
    if lines >= 10000 and rejected > e["max_share"] * lines:
        raise Refused("too many rows refused: %d of %d lines; nothing of the delivery was committed" % (rejected, lines))


def quarantine(spark, job, bad, n, cursor):
    if not n:
        return
    q = Table(spark, job["name"], job["table"] + "__quarantine")
    if not q.exists():
        spark.sql("create table if not exists %s (%s, quarantined_at timestamp) using iceberg tblproperties ('format-version'='2', 'write.parquet.compression-codec'='zstd')" % (q.name, REFUSED.replace("column string", "`column` string")))
    at = q.position()
    if at["cursor"] != cursor:  # a try before this one may have come so far
        q.commit(bad.withColumn("quarantined_at", F.current_timestamp()), at, cursor)


def published(spark, table, df, at, cursor, mode, day):
    if mode == "append":
        return table.commit(df, at, cursor)
    if not day:
        return table.commit(df, at, cursor, replace=True)
    is_day = F.col("business_date") == F.lit(day).cast("date")
    try:
        return table.commit(df, at, cursor, replace=True, only=is_day)
    except Exception as x:
        if "some, but not all" not in str(x):
            raise
    # Files that hold other dates as well are written anew.
    rest = spark.table(table.name).where(~F.coalesce(is_day, F.lit(False)))
    n = df.count()
    return table.commit(df.unionByName(rest), at, cursor, replace=True)[0], n


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


KINDS = {"report": report, "etl": etl, "ingest": ingest}


def words(e):
    """One line; the whole of an error is in Spark's log."""
    if isinstance(e, Refused):
        return str(e)
    text = str(e)
    for line in text.splitlines():  # from an executor, in a traceback
        if "BadFile: " in line:
            return line.partition("BadFile: ")[2]
    told = re.search(r"\[[A-Z_]+(\.[A-Z_]+)*\] [^\n]+", text)  # Spark's class of an error and its words
    if told:
        return told[0]
    return "%s: %s" % (type(e).__name__, (str(e).strip().splitlines() or [""])[0])


def run(spark, job):
    out = KINDS[job["kind"]](spark, job)
    return out if isinstance(out, dict) else dict(zip(("rows_in", "rows_out", "commits"), out))


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
