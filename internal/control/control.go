// Package control is how a running program of weir is watched and told what to do.
//
// The program keeps a [Hub] and changes it with [Hub.Update]; [Serve] answers HTTP on a unix socket from it; a terminal UI, a
// script (`curl --unix-socket`) or another program reads and publishes through a [Client] from [Dial].
//
//	hub := control.NewHub("1.0", home)
//	go control.Serve(ctx, filepath.Join(home, control.SocketName), hub, verbs)
//	hub.Update(func(s *control.Snapshot) { s.Load = &control.Load{Run: id, State: control.Running} })
//
// # Promises
//
// A snapshot that was handed out never changes. A reader gets the newest snapshot, never a queue of old ones, so a slow reader
// costs nothing. Whatever is shown carries the time at which it was true: a section that another process publishes is
// marked Silent when the publisher falls silent, and the stream beats every second so that a dead server shows within three.
// The socket answers its owner only (mode 0600), and is never taken from a server that still answers.
//
// # Paths
//
//	GET  /v1/snapshot   the newest snapshot
//	GET  /v1/stream     NDJSON of Frame: a snapshot when something changed (at most 15/s), a beat each second otherwise
//	GET  /v1/events     the last 200 events
//	POST /v1/do/{verb}  JSON arguments in, JSON result out
//	PUT  /v1/load       another process (loadgen run) publishes its Load
//	PUT  /v1/proof      another process (loadgen verify) publishes its Proof
//	PUT  /v1/comparison another process (loadgen compare, calibrate) publishes its Comparison
//	PUT  /v1/search     another process (loadgen search) publishes its Search
//	GET  /healthz       200 while the server serves
//	GET  /metrics       the handler given with WithMetrics
package control

import "time"

// SocketName is the file name of the socket inside the home of an installation.
const SocketName = "control.sock"

const (
	// MaxFramesPerSecond bounds the stream: nobody reads faster, and a terminal should not be painted faster.
	MaxFramesPerSecond = 15
	// SilentAfter is how long a publisher may be quiet before its section is marked Silent.
	SilentAfter = 5 * time.Second

	beatEvery   = time.Second
	deadAfter   = 3 * time.Second // no frame for this long: the server is dead or stopped
	eventsKept  = 200
	eventsShown = 24 // of them in each snapshot

	maxVerbBody    = 1 << 20
	maxSectionBody = 4 << 20
	maxFrame       = 16 << 20 // what a client is ready to read as one line

	writeTimeout = 5 * time.Second
	verbTimeout  = 30 * time.Second
	callTimeout  = 5 * time.Second
)
