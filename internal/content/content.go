// Package content makes the messages of a load: records of any Avro schema, of the size, keys, times and faults that were asked for.
//
// Start with a [Spec], which says what one topic's messages hold; [NewGenerator] compiles it, and a [Writer] appends message after
// message. [NewMix] joins several into one run, with faults. It knows nothing of Kafka.
//
// # Promises
//
// Message n is decided by the Spec and n alone (and, where a field is the event's time, by when the message was due), so that a
// proof can make it again. Every record is valid under its schema; no two of a run are equal where the schema has room for a
// number; a size that was asked for is met to the byte, or refused before the run. Writing allocates nothing.
package content
