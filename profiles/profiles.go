// Package profiles holds the load profiles that come with loadgen. Each begins with the question that a run with it answers.
package profiles

import "embed"

// Files are the profiles, NAME.yaml.
//
//go:embed *.yaml
var Files embed.FS
