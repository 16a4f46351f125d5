package kafka

import (
	"context"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Version guesses the brokers' version from what they can do, as "v3.9"; "unknown" if nobody tells.
func Version(ctx context.Context, cl *kgo.Client) string {
	all, err := kadm.NewClient(cl).ApiVersions(ctx)
	if err != nil {
		return "unknown"
	}
	for _, v := range all.Sorted() {
		if v.Err == nil {
			return v.VersionGuess()
		}
	}
	return "unknown"
}
