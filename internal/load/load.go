// Package load puts a load on a Kafka topic and says truthfully what came of it.
//
// Start with [Parse], which reads a [Profile]; [Run] does what the profile says. [NewGenerator] makes the content without Kafka.
//
// # Promises
//
// The load is an open model: message n is due when the profile's [Curve] says so, whether or not the broker has answered the
// ones before. Response time counts from that intended time, service time from the real send. A run that the generator
// itself could not keep up with is [Invalid], with the reason.
//
// Content is decided by the seed and the message's number alone, so that a proof can recompute what each row must hold.
// Every message is a valid record of its schema, unique within the run, and exactly as large as drawn.
//
// What may have been sent is on the disk before it is sent ([Manifest]): after a crash of the generator nothing that is in
// the table is unexplained. Memory follows max_in_flight, not the length of the run.
package load
