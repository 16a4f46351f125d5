package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"weir/internal/cli"
	"weir/internal/load"
	"weir/internal/project"
)

// shards are the flags of a run that several processes send together.
type shards struct{ shard, startAt string }

func (s *shards) flags(f *pflag.FlagSet) {
	f.StringVar(&s.shard, "shard", "", "send part i of n of the run, as 0/4; every machine runs one of them, with the same profile and --start-at")
	f.StringVar(&s.startAt, "start-at", "", "when the shards begin, as 2026-11-24T12:00:00Z; clocks must agree")
}

// part reads the flags; the zero value is a run without shards.
func (s *shards) part(p *load.Profile) (o load.ShardOf, id ulid.ULID, err error) {
	if s.shard == "" && s.startAt == "" {
		return o, ulid.Make(), nil
	}
	if s.shard == "" || s.startAt == "" {
		return o, id, cli.Usage(errors.New("--shard and --start-at belong together"), "loadgen run PROFILE --shard 0/4 --start-at "+time.Now().Add(2*time.Minute).UTC().Format(time.RFC3339))
	}
	if o, err = load.ParseShard(s.shard); err != nil {
		return o, id, cli.Usage(fmt.Errorf("--shard: %w", err), "")
	}
	if o.StartAt, err = time.Parse(time.RFC3339, s.startAt); err != nil {
		return o, id, cli.Usage(fmt.Errorf("--start-at: expected a time such as %s, got %q", time.Now().Add(2*time.Minute).UTC().Format(time.RFC3339), s.startAt), "")
	}
	if time.Until(o.StartAt) < 0 {
		return o, id, cli.Usage(fmt.Errorf("--start-at: %s is past", s.startAt), "give all shards the same later time")
	}
	id, err = o.Run(p)
	return o, id, err
}

func newMerge(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use: "merge RUN | FILE…", Short: "Join the results of a run's shards, so that one proof covers them", Args: cobra.MinimumNArgs(1),
		Long: `merge joins what the shards of a run have written: counts are added, histograms too, bucket by bucket, and the verdict is of the
whole. The files are HOME/load/RUN.i-of-n.json of the shards' machines; those of this home are found by the run's name.

    loadgen merge 01JD5K7Q8R0000000000000000
    loadgen merge collected/*.json --home here
    loadgen verify 01JD5K7Q8R0000000000000000 --home here`,
		RunE: func(_ *cobra.Command, args []string) error {
			pr, err := project.Open(".", app.Home)
			if err != nil {
				return err
			}
			files := args
			if _, err := os.Stat(args[0]); len(args) == 1 && err != nil && !strings.ContainsAny(args[0], "./\\") {
				if files, err = load.ShardManifests(pr.Home, args[0]); err != nil {
					return cli.Usage(err, "give the shards' files, or the --home that they lie in")
				}
			}
			m, err := load.Merge(pr.Home, files)
			if err != nil {
				return err
			}
			if m.Result == nil {
				return app.Result(m, fmt.Sprintf("run %s: %d shards, some without a result (killed); `loadgen verify %s` works\n", m.Run, len(m.Shards), m.Run))
			}
			if err := app.Result(m.Result, summaryText(*m.Result)); err != nil {
				return err
			}
			return verdictError(*m.Result)
		},
	}
}

type kubernetesOptions struct {
	shards    int
	image     string
	startIn   time.Duration
	namespace string
	claim     string
}

func newKubernetes(app *cli.App) *cobra.Command {
	var o kubernetesOptions
	c := &cobra.Command{
		Use: "kubernetes PROFILE --shards N --image IMAGE", Short: "Write an Indexed Job that runs a profile in N shards", Args: cobra.ExactArgs(1),
		Long: `kubernetes writes a ConfigMap with the profile and a Job in which every pod sends its shard of the run. All begin at the same time,
--start-in from now: apply it at once. The shards' results lie on the claim's volume.

    loadgen kubernetes stress --shards 20 --image registry.example/weir:1.4 --claim load-results | kubectl apply -f -
    loadgen merge RUN --home /mnt/load-results`,
		RunE: func(_ *cobra.Command, args []string) error { return kubernetes(app, o, args[0]) },
	}
	f := c.Flags()
	f.IntVar(&o.shards, "shards", 0, "number of pods")
	f.StringVar(&o.image, "image", "", "image with loadgen in its path")
	f.DurationVar(&o.startIn, "start-in", 3*time.Minute, "time until the schedule begins: pods must have started by then")
	f.StringVar(&o.namespace, "namespace", "default", "namespace of the Job")
	f.StringVar(&o.claim, "claim", "weir-load", "PersistentVolumeClaim (ReadWriteMany) for the results")
	cobra.CheckErr(errors.Join(c.MarkFlagRequired("shards"), c.MarkFlagRequired("image")))
	return c
}

func kubernetes(app *cli.App, o kubernetesOptions, name string) error {
	if _, err := load.ParseShard(fmt.Sprintf("0/%d", o.shards)); err != nil {
		return cli.Usage(fmt.Errorf("--shards: expected 1 to 10000, got %d", o.shards), "")
	}
	if o.startIn <= 0 {
		return cli.Usage(errors.New("--start-in: want more than 0s"), "")
	}
	pr, err := project.Open(".", app.Home)
	if err != nil {
		return err
	}
	p, err := readProfile(pr, name)
	if err != nil {
		return err
	}
	at := time.Now().Add(o.startIn).UTC().Truncate(time.Second)
	job := "load-" + p.Name
	manifest := fmt.Sprintf(jobTemplate, job, o.namespace, indent(p.Whole(), "    "), o.shards, o.image, at.Format(time.RFC3339), o.claim)
	return app.Result(map[string]any{"job": job, "shards": o.shards, "start_at": at, "manifest": manifest}, manifest)
}

func indent(text, by string) string {
	return by + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n"+by)
}

const jobTemplate = `apiVersion: v1
kind: ConfigMap
metadata: {name: %[1]s, namespace: %[2]s}
data:
  profile.yaml: |
%[3]s
---
apiVersion: batch/v1
kind: Job
metadata: {name: %[1]s, namespace: %[2]s}
spec:
  completionMode: Indexed          # each pod knows its shard
  completions: %[4]d
  parallelism: %[4]d               # all at once: a shard that starts late refuses to run
  backoffLimit: 0                  # a pod that starts again would send its shard again
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: loadgen
          image: %[5]q
          command: [loadgen, run, /profile/profile.yaml, --shard, "$(JOB_COMPLETION_INDEX)/%[4]d", --start-at, "%[6]s", --home, /home/weir]
          workingDir: /project       # with weir.yaml: mount your own over it
          envFrom: [{secretRef: {name: weir, optional: true}}]
          volumeMounts:
            - {name: profile, mountPath: /profile}
            - {name: results, mountPath: /home/weir}
      volumes:
        - {name: profile, configMap: {name: %[1]s}}
        - {name: results, persistentVolumeClaim: {claimName: %[7]q}}
`
