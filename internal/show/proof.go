package show

import (
	"time"

	"weir/internal/control"
	"weir/internal/verify"
)

// Proof is the result of a proof.
func Proof(r verify.Result) *control.Proof {
	return &control.Proof{
		At: time.Now(), Run: r.Run, Sent: r.Sent, Rows: r.Rows, Lost: r.Lost, Doubled: r.Doubled, Reordered: r.Reordered, Altered: r.Altered,
		Quarantined: r.Quarantined, ReadableP50: r.ReadableP50, ReadableP99: r.ReadableP99, Done: true,
	}
}
