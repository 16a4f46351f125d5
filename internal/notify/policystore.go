package notify

// What keeps a delivery back stands in its row. gate is
//
//	quiet    held until the unit's quiet hours end (next_at)
//	retry    held until the job had its chance to mend itself (next_at)
//	silence  suppressed by silence gate_ref
//	fold     suppressed, as it is a line in the message of story gate_ref
//	digest   superseded by the digest gate_ref (an event), which told it
//
// and empty for what is held because its result is unknown: only a person can decide that one.
const migrationPolicy = `
ALTER TABLE delivery ADD COLUMN gate     TEXT    NOT NULL DEFAULT '';
ALTER TABLE delivery ADD COLUMN gate_ref TEXT    NOT NULL DEFAULT '';
ALTER TABLE delivery ADD COLUMN incident INTEGER NOT NULL DEFAULT 0; -- of the story
ALTER TABLE delivery ADD COLUMN shout    INTEGER NOT NULL DEFAULT 0; -- 1: pings the owner, 2: also who is on call
ALTER TABLE delivery ADD COLUMN again    INTEGER NOT NULL DEFAULT 0; -- its message has changed while it was sent
UPDATE delivery SET shout = 1 WHERE part = 'root' AND event_id IN (SELECT id FROM event WHERE state IN ('failed', 'late', 'missing'));
CREATE INDEX delivery_gate ON delivery (gate, gate_ref, state) WHERE gate <> '';
CREATE INDEX delivery_held ON delivery (next_at) WHERE state = 'held';
CREATE TABLE silence (
	id      INTEGER PRIMARY KEY AUTOINCREMENT,
	match   TEXT NOT NULL,
	owner   TEXT NOT NULL,
	reason  TEXT NOT NULL,
	created INTEGER NOT NULL,
	until   INTEGER NOT NULL,
	ended   INTEGER NOT NULL DEFAULT 0, -- by hand, before its time
	ended_by TEXT NOT NULL DEFAULT '',
	settled INTEGER NOT NULL DEFAULT 0  -- what it kept back and is still true has been told
) STRICT;
CREATE TABLE folded (
	cause  TEXT NOT NULL, -- key of the story
	effect TEXT NOT NULL, -- key of the story
	note   TEXT NOT NULL, -- gl_report (due 09:00)
	PRIMARY KEY (cause, effect)
) STRICT, WITHOUT ROWID;
CREATE INDEX folded_effect ON folded (effect);
CREATE TABLE digest (
	unit  TEXT NOT NULL,
	day   TEXT NOT NULL,    -- of its hour, in the unit's zone
	at    INTEGER NOT NULL, -- when it was made
	seq   INTEGER NOT NULL, -- the last event that it counts
	event TEXT NOT NULL,    -- empty: the first one, of a time before there was a digest
	PRIMARY KEY (unit, day)
) STRICT, WITHOUT ROWID;
`

// Values of delivery.gate.
const (
	gateQuiet   = "quiet"
	gateRetry   = "retry"
	gateSilence = "silence"
	gateFold    = "fold"
	gateDigest  = "digest"
)

// isKept is the SQL for a delivery d of which nobody has heard, or is about to hear.
const isKept = "d.state IN ('held', 'suppressed', 'superseded', 'dropped') AND d.gate <> 'digest'"
