package job

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Flow is what a job reads and writes: tables and topics by name.
type Flow struct {
	Job, File     string
	Reads, Writes []string
	After         []string // jobs that it waits for besides
}

// A Graph says which jobs follow from which.
type Graph struct {
	Order []string            // all jobs, each behind those that it waits for; otherwise by name
	After map[string][]string // of a job: those whose tables it reads, and those that its file names, sorted
}

// A Conflict is why jobs cannot stand side by side.
type Conflict struct {
	File    string // the job that is to be changed, or one of them
	Message string // names the other files
}

func (c Conflict) Error() string { return c.File + ": " + c.Message }

// Connect finds the order of a set of jobs. Two writers of one table and circles are conflicts; a job that reads the table
// which it writes is neither. The order is complete only if there are none.
func Connect(flows []Flow) (Graph, []Conflict) {
	flows = slices.Clone(flows)
	slices.SortFunc(flows, func(a, b Flow) int { return strings.Compare(a.Job, b.Job) })
	var bad []Conflict
	writer := map[string]Flow{}
	for _, f := range flows {
		for _, t := range f.Writes {
			if other, ok := writer[t]; ok && other.File != f.File {
				bad = append(bad, Conflict{f.File, fmt.Sprintf("job %s writes table %s, which job %s writes as well (%s): one table has one writer", f.Job, t, other.Job, other.File)})
				continue
			}
			writer[t] = f
		}
	}
	g := Graph{After: map[string][]string{}}
	byName := map[string]Flow{}
	for _, f := range flows {
		byName[f.Job] = f
	}
	for _, f := range flows {
		before := map[string]bool{}
		for _, t := range f.Reads {
			if w, ok := writer[t]; ok && w.Job != f.Job {
				before[w.Job] = true
			}
		}
		for _, name := range f.After {
			if _, ok := byName[name]; ok {
				before[name] = true
			}
		}
		g.After[f.Job] = slices.Sorted(maps.Keys(before))
	}
	v := visit{g: &g, state: map[string]int{}}
	for _, f := range flows {
		v.job(f.Job)
	}
	for _, circle := range v.circles {
		text := "jobs wait for each other in a circle: "
		for i, name := range circle {
			how := "reads from"
			if slices.Contains(byName[name].After, circle[(i+1)%len(circle)]) {
				how = "waits for"
			}
			text += fmt.Sprintf("%s (%s) %s ", name, byName[name].File, how)
		}
		bad = append(bad, Conflict{byName[circle[0]].File, text + circle[0]})
	}
	return g, bad
}

// visit walks the jobs depth first; what is met a second time while it is still being walked closes a circle.
type visit struct {
	g       *Graph
	state   map[string]int // 1: being walked, 2: done
	path    []string
	circles [][]string
}

func (v *visit) job(name string) {
	switch v.state[name] {
	case 1:
		v.circles = append(v.circles, slices.Clone(v.path[slices.Index(v.path, name):]))
		return
	case 2:
		return
	}
	v.state[name] = 1
	v.path = append(v.path, name)
	for _, before := range v.g.After[name] {
		v.job(before)
	}
	v.path = v.path[:len(v.path)-1]
	v.state[name] = 2
	v.g.Order = append(v.g.Order, name)
}
