package project

import (
	"net"
	"net/url"

	"weir/internal/config"
)

// Notify is the `notify` block: where `notify serve` takes events from, and where the outbox is.
type Notify struct {
	Outbox  string          `yaml:"outbox,omitempty" jsonschema:"description=address of a PostgreSQL in the place of the file in the home, for notify on several machines: postgres://user@host/database?sslmode=verify-full; its password comes from PGPASSWORD or ~/.pgpass"`
	Listen  string          `yaml:"listen,omitempty" jsonschema:"description=address for events over HTTP: 127.0.0.1:8095; beyond this machine tls and a token or client_ca are needed too"`
	TLS     NotifyTLS       `yaml:"tls,omitempty" jsonschema:"description=encrypt it"`
	Token   config.Secret   `yaml:"token,omitempty" jsonschema:"description=what clients send as Authorization: Bearer; a reference such as ${env:NOTIFY_TOKEN}"`
	Rate    float64         `yaml:"rate,omitempty" jsonschema:"description=requests per second of one client; default 100; more are answered with 429"`
	MaxWait config.Duration `yaml:"max_wait,omitempty" jsonschema:"description=/healthz says 503 when something has waited for longer; default 30m"`

	Spool     string          `yaml:"spool,omitempty" jsonschema:"description=directory that is watched for files with events; default HOME/spool"`
	Kafka     NotifyKafka     `yaml:"kafka,omitempty" jsonschema:"description=a topic with events"`
	SQS       NotifySQS       `yaml:"sqs,omitempty" jsonschema:"description=a queue with EMR's state changes from EventBridge or with other events"`
	Heartbeat NotifyHeartbeat `yaml:"heartbeat,omitempty" jsonschema:"description=a sign of life; who misses it knows that notify is down or stuck"`
}

// NotifyTLS is the server's side.
type NotifyTLS struct {
	Cert     string `yaml:"cert,omitempty" jsonschema:"description=file with the server's certificate (PEM) and its chain"`
	Key      string `yaml:"key,omitempty" jsonschema:"description=file with that certificate's private key (PEM)"`
	ClientCA string `yaml:"client_ca,omitempty" jsonschema:"description=file with the authority (PEM) that signs the certificates of clients; mTLS"`
}

// NotifyKafka is a topic.
type NotifyKafka struct {
	Topic   string `yaml:"topic,omitempty" jsonschema:"description=its name"`
	Group   string `yaml:"group,omitempty" jsonschema:"description=consumer group; default weir-notify"`
	Cluster string `yaml:"cluster,omitempty" jsonschema:"description=a name from clusters; default the kafka block"`
}

// NotifySQS is a queue.
type NotifySQS struct {
	Queue    string `yaml:"queue,omitempty" jsonschema:"description=its URL: https://sqs.eu-central-1.amazonaws.com/111122223333/emr-events"`
	Region   string `yaml:"region,omitempty" jsonschema:"description=default that of the URL"`
	Endpoint string `yaml:"endpoint,omitempty" jsonschema:"description=another server that speaks SQS"`
}

// NotifyHeartbeat is a sign of life.
type NotifyHeartbeat struct {
	URL     config.Secret   `yaml:"url,omitempty" jsonschema:"description=is called by GET while all is well; by reference where it holds a key"`
	Channel string          `yaml:"channel,omitempty" jsonschema:"description=a channel of units.yaml that is told; for example an SNS topic with an alarm on silence"`
	Every   config.Duration `yaml:"every,omitempty" jsonschema:"description=default 1m"`
}

// Validate names what is wrong.
func (n Notify) Validate() []config.Invalid {
	var bad []config.Invalid
	say := func(path, text string) { bad = append(bad, config.Invalid{Path: path, Message: text}) }
	if n.Outbox != "" {
		u, err := url.Parse(n.Outbox)
		switch {
		case err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.Host == "":
			say("outbox", "expected postgres://user@host/database; leave it out for a file in the home")
		case u.User != nil && hasPassword(u.User) || u.Query().Has("password"):
			say("outbox", "must not hold the password; put it into PGPASSWORD or ~/.pgpass")
		}
	}
	if n.Listen != "" {
		if _, _, err := net.SplitHostPort(n.Listen); err != nil {
			say("listen", "expected host:port such as 127.0.0.1:8095")
		}
	}
	if (n.TLS.Cert == "") != (n.TLS.Key == "") {
		say("tls", "expected both cert and key: files with the server's certificate and its private key")
	}
	if n.TLS.ClientCA != "" && n.TLS.Cert == "" {
		say("tls.client_ca", "expected cert and key beside it: clients can show a certificate only over TLS")
	}
	if n.Rate < 0 {
		say("rate", "must not be negative")
	}
	if n.MaxWait < 0 {
		say("max_wait", "must not be negative")
	}
	if n.Heartbeat.Every < 0 {
		say("heartbeat.every", "must not be negative")
	}
	if n.Kafka.Topic == "" && (n.Kafka.Group != "" || n.Kafka.Cluster != "") {
		say("kafka", "topic is missing")
	}
	if q := n.SQS.Queue; q != "" {
		if u, err := url.Parse(q); err != nil || u.Host == "" || u.Path == "" || u.Scheme != "https" && u.Scheme != "http" {
			say("sqs.queue", "expected the queue's URL: https://sqs.REGION.amazonaws.com/ACCOUNT/NAME")
		}
	} else if n.SQS != (NotifySQS{}) {
		say("sqs", "queue is missing")
	}
	return bad
}

func hasPassword(u *url.Userinfo) bool {
	_, set := u.Password()
	return set
}
