package parts

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// server is a script that can start and kill something on a port.
type server struct {
	name string
	port int
	run  string   // where its pid, log and data lie
	args []string // for start, besides the port
}

// serve starts the server for as long as the test runs.
func serve(t testing.TB, name string, ports int, args ...string) *server {
	t.Helper()
	s := &server{name: name, port: port(t, ports), run: t.TempDir(), args: args}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of the %s log:\n%s", name, readTail(filepath.Join(s.run, fmt.Sprintf("%s-%d", name, s.port), "log")))
		}
		s.Kill(t) // quicker than a clean stop, and its data go with the test
	})
	s.Start(t)
	return s
}

func (s *server) do(t testing.TB, verb string, args ...string) {
	t.Helper()
	args = append([]string{verb, "--port", strconv.Itoa(s.port)}, args...)
	if _, err := script(t, s.name, startTime, []string{"WEIR_REAL_RUN=" + s.run}, args...); err != nil {
		t.Fatal(err)
	}
}

// Kill ends the server with SIGKILL and waits until it has gone. What it wrote is still there after [server.Start].
func (s *server) Kill(t testing.TB) { t.Helper(); s.do(t, "kill") }

// Start starts the server at its old address and waits until it answers.
func (s *server) Start(t testing.TB) { t.Helper(); s.do(t, "start", s.args...) }

// Stall stops the server with SIGSTOP for a while and gives how long it stood.
func (s *server) Stall(t testing.TB, d time.Duration) time.Duration {
	t.Helper()
	s.do(t, "pause")
	began := time.Now()
	time.Sleep(d) // real time: a process stands still
	stood := time.Since(began)
	s.do(t, "resume")
	return stood
}

// Broker is an Apache Kafka of one node. It makes no topics by itself.
type Broker struct {
	*server
	Addr string
}

// Kafka starts a broker for the test.
func Kafka(t testing.TB) *Broker {
	t.Helper()
	need(t, "kafka")
	s := serve(t, "kafka", 2) // and the controller's port
	return &Broker{server: s, Addr: fmt.Sprintf("127.0.0.1:%d", s.port)}
}

// CPU is what the broker's process has used so far; it is known to 10 ms.
func (b *Broker) CPU(t testing.TB) time.Duration {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(b.run, fmt.Sprintf("%s-%d", b.name, b.port), "pid"))
	if err != nil {
		t.Fatal(err)
	}
	stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(text)) + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // from the state on: proc(5)
	var ticks int64
	for _, f := range fields[11:13] { // utime, stime
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// Tool starts one of Kafka's own tools beside the test; wait gives what it printed.
func (b *Broker) Tool(t testing.TB, class string, args ...string) (wait func() string) {
	t.Helper()
	c := exec.Command(filepath.Join(home(t), "kafka"), append([]string{"tool", class}, args...)...)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	return func() string {
		t.Helper()
		if err := c.Wait(); err != nil {
			t.Fatalf("%s: %v\n%s", class, err, tail(out.String(), 10))
		}
		return out.String()
	}
}

// RegistryServer is an Apicurio Registry. New subjects are checked for BACKWARD compatibility.
type RegistryServer struct {
	*server
	URL string // with the path of Confluent's API
}

// Registry starts a schema registry for the test and gives its URL.
func Registry(t testing.TB, b *Broker) (url string) {
	t.Helper()
	return ServeRegistry(t, b).URL
}

// ServeRegistry is [Registry] for a test that also kills it. Its state lies in the broker.
func ServeRegistry(t testing.TB, b *Broker) *RegistryServer {
	t.Helper()
	need(t, "registry")
	s := serve(t, "registry", 1, "--kafka", b.Addr)
	return &RegistryServer{server: s, URL: fmt.Sprintf("http://127.0.0.1:%d/apis/ccompat/v7", s.port)}
}

// HDFS starts a name node and a data node for the test. Its files are below the URI that it gives.
func HDFS(t testing.TB) (uri string) {
	t.Helper()
	need(t, "hdfs")
	return fmt.Sprintf("hdfs://127.0.0.1:%d", serve(t, "hdfs", 1).port)
}

// Metastore starts a Hive Metastore 3 for the test and gives its address.
func Metastore(t testing.TB) (uri string) {
	t.Helper()
	need(t, "hive-metastore")
	return fmt.Sprintf("thrift://127.0.0.1:%d", serve(t, "hive-metastore", 1).port)
}

// RESTCatalog starts an Iceberg REST catalog for the test and gives its address. Its tables lie in a directory of its own, or on an S3.
func RESTCatalog(t testing.TB, on *ObjectStore) (uri string) {
	t.Helper()
	need(t, "rest-catalog")
	if on != nil {
		t.Setenv("WEIR_REST_WAREHOUSE", "s3://weir/rest")
		t.Setenv("WEIR_REST_S3", on.Endpoint)
		t.Setenv("AWS_ACCESS_KEY_ID", on.Key)
		t.Setenv("AWS_SECRET_ACCESS_KEY", on.Secret)
	}
	return fmt.Sprintf("http://127.0.0.1:%d", serve(t, "rest-catalog", 1).port)
}

// Postgres starts a PostgreSQL for the test and gives the address of a database.
func Postgres(t testing.TB) (uri string) {
	t.Helper()
	need(t, "postgres")
	return fmt.Sprintf("postgres://weir:weir@127.0.0.1:%d/postgres?sslmode=disable", serve(t, "postgres", 1).port)
}

// An ObjectStore is an S3 server with the bucket weir.
type ObjectStore struct {
	*server
	Endpoint, Key, Secret string
}

// S3 starts an S3 server for the test.
func S3(t testing.TB) ObjectStore {
	t.Helper()
	need(t, "s3")
	s := serve(t, "s3", 1)
	return ObjectStore{server: s, Endpoint: fmt.Sprintf("http://127.0.0.1:%d", s.port), Key: "weir", Secret: "weirweir"}
}

// Moto starts an emulator of AWS for the test and gives its endpoint. It keeps what it is told, and runs nothing.
func Moto(t testing.TB) (endpoint string) {
	t.Helper()
	need(t, "moto", "python3")
	return fmt.Sprintf("http://127.0.0.1:%d", serve(t, "moto", 1).port)
}

// Receivers starts a mail server and a receiver of webhooks that others wrote. See receivers.py for what they ask of the environment.
func Receivers(t testing.TB) (http, smtp string) {
	t.Helper()
	need(t, "receivers", "python3")
	p := serve(t, "receivers", 2).port
	return fmt.Sprintf("http://127.0.0.1:%d", p), fmt.Sprintf("127.0.0.1:%d", p+1)
}

// Scheduler is an Airflow with its scheduler.
type Scheduler struct{ *server }

// Airflow starts an Airflow for the test that runs the DAG files of a directory.
func Airflow(t testing.TB, dags string) *Scheduler {
	t.Helper()
	need(t, "airflow", "python3")
	t.Setenv("WEIR_AIRFLOW_DAGS", dags)
	return &Scheduler{serve(t, "airflow", 1)}
}

// AirflowLineage makes an Airflow that is started later tell of its runs, as OpenLineage's provider does, to the lineage endpoint of this
// URL.
func AirflowLineage(t testing.TB, url, token string) {
	t.Helper()
	need(t, "airflow", "python3")
	dir, err := script(t, "airflow", fetchTime, nil, "lineage")
	if err != nil {
		missing(t)("OpenLineage's provider for Airflow: not to be had: %v", err)
	}
	t.Setenv("PYTHONPATH", strings.TrimSpace(dir))
	t.Setenv("AIRFLOW__OPENLINEAGE__NAMESPACE", "prod-airflow")
	t.Setenv("AIRFLOW__OPENLINEAGE__TRANSPORT", fmt.Sprintf(`{"type": "http", "url": %q, "endpoint": "api/v1/lineage", "auth": {"type": "api_key", "apiKey": %q}}`, url, token))
}

// CLI runs Airflow's command line and gives what it printed.
func (s *Scheduler) CLI(t testing.TB, args ...string) string {
	t.Helper()
	out, err := script(t, "airflow", startTime, []string{"WEIR_REAL_RUN=" + s.run, "WEIR_AIRFLOW_PORT=" + strconv.Itoa(s.port)}, append([]string{"cli"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Perf runs Kafka's own ProducerPerformance against the broker, in a JVM of 512 MiB, and gives what it printed and what it took. The
// topic is made first, with 6 partitions, unless it is there.
func (b *Broker) Perf(t testing.TB, topic string, args ...string) (out string, state *os.ProcessState) {
	t.Helper()
	if _, err := script(t, "kafka", startTime, nil, "tool", "org.apache.kafka.tools.TopicCommand", "--bootstrap-server", b.Addr, "--create", "--if-not-exists", "--topic", topic, "--partitions", "6"); err != nil {
		t.Fatal(err)
	}
	jars, err := script(t, "kafka", startTime, nil, "classpath")
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("java", append([]string{"-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", strings.TrimSpace(jars),
		"org.apache.kafka.tools.ProducerPerformance", "--topic", topic, "--bootstrap-server", b.Addr}, args...)...)
	text, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("ProducerPerformance: %v\n%s", err, text)
	}
	return string(text), c.ProcessState
}
