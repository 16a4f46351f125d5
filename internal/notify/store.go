package notify

// The outbox's tables; all times in microseconds since 1970.
//
//	event     what was accepted. phase: accepted -> routed
//	story     what has been told last about a key (unit/job/date or unit/job/run), and since when it is broken
//	delivery  one post of an event to a channel: the message itself (root) or a reply in its thread
//	message   where the message of a key stands in a channel, for edits and replies
//	attempt   each call that was made for a delivery
//	decision  how an event was routed
//	channel   blocked or not, and when it is tried next
//	pause     until when a method of a channel must be left alone
//	lease     which process sends
//	arrival, expectation: see arrival.go
//	sends     how many attempts there were, for Prometheus
//
// States of a delivery:
//
//	ready ─> sending ─> sent
//	            ├─ refused for now ──────> retry (next_at)
//	            ├─ result unknown ───────> unknown ── look up ──> sent | ready | held
//	            ├─ the channel's fault ──> ready, and the channel is blocked
//	            └─ the message's fault ──> ready as plain text, then dead
//	ready | retry ── a newer one of the same key ──> superseded        reply ── nothing to add ──> suppressed
//	dead | held ── redrive ──> ready     dead ── drop(reason) ──> dropped     any that waits ── ttl ──> expired
//	quiet hours, a retry under way ──> held(next_at) ── still true ──> ready | told in a digest: superseded
//	silence, fold ──> suppressed ── it ends, still broken ──> ready
var migrations = []string{base, migrationPause, migrationLineage, migrationPolicy, migrationExpect, migrationRetention}

const base = `
CREATE TABLE event (
	seq      INTEGER PRIMARY KEY AUTOINCREMENT,
	id       TEXT NOT NULL UNIQUE,
	key      TEXT NOT NULL DEFAULT '',
	unit     TEXT NOT NULL,
	job      TEXT NOT NULL,
	run      TEXT NOT NULL,
	state    TEXT NOT NULL,
	accepted INTEGER NOT NULL,
	phase    TEXT NOT NULL DEFAULT 'accepted',
	good_day TEXT NOT NULL DEFAULT '', -- business date, where the data could be used
	doc      TEXT NOT NULL,            -- outcome as it came
	view     TEXT NOT NULL DEFAULT ''  -- channel.Message, once routed
) STRICT;
CREATE INDEX event_accepted ON event (seq) WHERE phase = 'accepted';
CREATE INDEX event_job ON event (job, seq);
CREATE INDEX event_good ON event (unit, job, good_day) WHERE good_day <> '';
CREATE TABLE story (
	key       TEXT PRIMARY KEY,
	unit      TEXT NOT NULL,
	job       TEXT NOT NULL,
	state     TEXT NOT NULL,
	run       TEXT NOT NULL,
	attempt   INTEGER NOT NULL,
	revision  INTEGER NOT NULL, -- of the event
	at        INTEGER NOT NULL,
	told      INTEGER NOT NULL, -- revision of the message
	incidents INTEGER NOT NULL DEFAULT 0,
	broken    INTEGER NOT NULL DEFAULT 0, -- since when; 0: it is not
	dated     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX story_broken ON story (unit, job) WHERE broken > 0;
CREATE TABLE delivery (
	id        INTEGER PRIMARY KEY AUTOINCREMENT,
	event_id  TEXT NOT NULL REFERENCES event (id),
	key       TEXT NOT NULL,
	channel   TEXT NOT NULL,
	part      TEXT NOT NULL, -- root, reply
	state     TEXT NOT NULL,
	op        TEXT NOT NULL DEFAULT '', -- post, edit, reply: what the last try did
	must_tell INTEGER NOT NULL,
	loud      INTEGER NOT NULL,
	mention   TEXT NOT NULL,
	plain     INTEGER NOT NULL DEFAULT 0,
	tries     INTEGER NOT NULL DEFAULT 0,
	looks     INTEGER NOT NULL DEFAULT 0,
	created   INTEGER NOT NULL,
	next_at   INTEGER NOT NULL,
	first_try INTEGER NOT NULL DEFAULT 0,
	budget    INTEGER NOT NULL, -- until when it is tried
	sent_at   INTEGER NOT NULL DEFAULT 0,
	owner     TEXT NOT NULL DEFAULT '',
	ref       TEXT NOT NULL DEFAULT '',
	reason    TEXT NOT NULL DEFAULT '',
	UNIQUE (event_id, channel, part)
) STRICT;
CREATE INDEX delivery_open ON delivery (channel, id) WHERE state IN ('ready', 'retry', 'unknown', 'sending');
CREATE INDEX delivery_due ON delivery (channel, next_at) WHERE state IN ('ready', 'retry', 'unknown', 'sending');
CREATE INDEX delivery_key ON delivery (key, channel, id);
CREATE INDEX delivery_state ON delivery (state);
CREATE TABLE message (
	key     TEXT NOT NULL,
	channel TEXT NOT NULL,
	ref     TEXT NOT NULL,
	at      INTEGER NOT NULL, -- of the last change
	PRIMARY KEY (key, channel)
) STRICT, WITHOUT ROWID;
CREATE TABLE attempt (
	delivery INTEGER NOT NULL REFERENCES delivery (id),
	n        INTEGER NOT NULL,
	at       INTEGER NOT NULL,
	action   TEXT NOT NULL, -- post, edit, reply, look
	class    TEXT NOT NULL, -- ok, found, absent, or a channel.Class
	code     TEXT NOT NULL DEFAULT '',
	http     INTEGER NOT NULL DEFAULT 0,
	error    TEXT NOT NULL DEFAULT '',
	ms       INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (delivery, n)
) STRICT, WITHOUT ROWID;
CREATE TABLE decision (
	event_id TEXT NOT NULL,
	n        INTEGER NOT NULL,
	doc      TEXT NOT NULL,
	PRIMARY KEY (event_id, n)
) STRICT, WITHOUT ROWID;
CREATE TABLE channel (
	name    TEXT PRIMARY KEY,
	state   TEXT NOT NULL, -- ok, blocked
	code    TEXT NOT NULL DEFAULT '',
	reason  TEXT NOT NULL DEFAULT '',
	since   INTEGER NOT NULL,
	next_at INTEGER NOT NULL DEFAULT 0 -- leave it alone until then
) STRICT, WITHOUT ROWID;
CREATE TABLE lease (
	name  TEXT PRIMARY KEY,
	owner TEXT NOT NULL,
	host  TEXT NOT NULL, -- where process pid can be asked for; empty: unknown
	pid   INTEGER NOT NULL,
	until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`

// States of a delivery.
const (
	stReady      = "ready"
	stRetry      = "retry"
	stSending    = "sending"
	stUnknown    = "unknown"
	stSent       = "sent"
	stHeld       = "held"
	stDead       = "dead"
	stSuperseded = "superseded"
	stExpired    = "expired"
	stDropped    = "dropped"
	stSuppressed = "suppressed"
)

// isOpen is the SQL for "will still leave"; it is the condition of the index delivery_open.
const isOpen = "state IN ('ready', 'retry', 'unknown', 'sending')"

// What to do when it cannot be found out whether a message has arrived.
const (
	resend = "resend"
	hold   = "hold"
)
