package emr

import (
	"maps"
	"slices"
	"strings"
)

// resilience: slow tasks are run a second time elsewhere, and hosts that fail are left out (SPARK-8425, spark.apache.org/docs/
// latest/configuration.html).
var resilience = map[string]string{
	"spark.speculation":                            "true",
	"spark.speculation.multiplier":                 "3",
	"spark.speculation.quantile":                   "0.9",
	"spark.excludeOnFailure.enabled":               "true",
	"spark.excludeOnFailure.killExcludedExecutors": "true",
	"spark.task.maxFailures":                       "4",
	"spark.dynamicAllocation.enabled":              "true",
}

// parameters are spark-submit's, in front of the script.
func parameters(c Config, s Submission, jars []string) []string {
	conf := maps.Clone(resilience)
	maps.Copy(conf, s.Conf)
	var out []string
	for _, k := range slices.Sorted(maps.Keys(conf)) {
		out = append(out, "--conf", k+"="+conf[k])
	}
	if len(jars) > 0 {
		out = append(out, "--jars", strings.Join(jars, ","))
	}
	if len(c.Packages) > 0 {
		out = append(out, "--packages", strings.Join(c.Packages, ","))
	}
	return out
}

// quoted is one line of parameters, as EMR Serverless wants them.
func quoted(words []string) string {
	q := make([]string, len(words))
	for i, w := range words {
		if strings.ContainsAny(w, " \t\"'\\") {
			w = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(w) + `"`
		}
		q[i] = w
	}
	return strings.Join(q, " ")
}
