package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"weir/internal/cli"
	"weir/internal/load"
)

// recreation is the flag without which no topic is deleted, whatever a profile says.
type recreation struct{ yes bool }

func (r *recreation) flags(f *pflag.FlagSet) {
	f.BoolVar(&r.yes, "yes-recreate", false, "delete the topic first, with all that is in it, where the profile has create: recreate")
}

// allow lets the run delete what its profile wants to be made again.
func (r *recreation) allow(p *load.Profile, sharded bool) error {
	topics := p.Recreates()
	switch {
	case r.yes && len(topics) == 0:
		return cli.Usage(errors.New("--yes-recreate: no topic of this profile has create: recreate"), "add --set topic.create=recreate if it shall be deleted and made again")
	case len(topics) == 0:
		return nil
	case !r.yes:
		return cli.Usage(fmt.Errorf("topic %s: create: recreate would delete it with all that is in it", strings.Join(topics, ", ")),
			"if that is meant: --yes-recreate; if not: --set topic.create=if_missing")
	case sharded:
		return cli.Usage(errors.New("--yes-recreate: every shard would delete what the others have sent"), "make the topic before the shards begin, and leave create: recreate out")
	}
	p.AllowRecreate()
	return nil
}
