package tui

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"weir/internal/config/edit"
	"weir/internal/control"
)

// soak is a profile as somebody writes one.
const soak = `# Does anything leak, pile up or slow down within a night?
apiVersion: weir/v1
kind: LoadProfile
name: nightly-soak
warmup: 1m
rate:
  start: 0/s
  stages:                        # a target is reached at the end of its stage
    - {name: ramp, duration: 10m, target: 40k/s}
    - {name: hold, duration: 90m, target: 40k/s} # the night
topic: {name: orders.v2, partitions: 12}
value:
  schema: {subject: orders-value}
size: {distribution: lognormal, median: 1KiB, p99: 4KiB, max: 16KiB}
thresholds:
  - {metric: response_ms, stat: p99, max: 100}
  - {metric: lost, max: 0}
`

// shelf answers for profiles as a server would, with words that do not change with the format.
type shelf struct {
	still
	files   map[string]string // of the project
	shipped map[string]string
	asked   []string // verbs with their profile or path
	args    []map[string]any
	refuse  map[string]error // by verb
	twist   func(any) any    // changes answers
}

func newShelf() *shelf {
	return &shelf{
		files: map[string]string{"nightly-soak": soak, "broken": "# Why not?\nname: [\n"},
		shipped: map[string]string{
			"smoke": "# Does it work at all? For CI on every push.\n" + soak[strings.Index(soak, "\n")+1:],
			"spike": "# Does the pipeline survive ten times the load for two minutes, and recover?\n" + soak[strings.Index(soak, "\n")+1:],
		},
		refuse: map[string]error{},
	}
}

var shelfVerbs = []string{
	control.VerbProfiles, control.VerbProfileRead, control.VerbProfileEdit, control.VerbProfilePreview, control.VerbProfileSave,
	control.VerbLoadStart, control.VerbCompareStart, control.VerbSearchStart, control.VerbLaunchStop,
}

func (s *shelf) Do(_ context.Context, verb string, args, result any) error {
	b, err := json.Marshal(args)
	if err != nil {
		return err
	}
	var a map[string]any
	if err := json.Unmarshal(b, &a); err != nil {
		return err
	}
	s.args = append(s.args, a)
	s.asked = append(s.asked, verb)
	if err := s.refuse[verb]; err != nil {
		return err
	}
	word := func(k string) string { w, _ := a[k].(string); return w }
	out, err := s.answer(verb, word)
	if err != nil {
		return err
	}
	if s.twist != nil {
		out = s.twist(out)
	}
	b, err = json.Marshal(out)
	if err != nil || result == nil {
		return err
	}
	return json.Unmarshal(b, result)
}

func (s *shelf) answer(verb string, word func(string) string) (any, error) {
	name, text := word("name"), word("text")
	file := "profiles/" + name + ".yaml"
	switch verb {
	case control.VerbProfiles:
		var all []control.ProfileInfo
		for _, n := range sorted(s.files) {
			p := control.ProfileInfo{Name: n, File: "profiles/" + n + ".yaml", Question: strings.TrimPrefix(strings.SplitN(s.files[n], "\n", 2)[0], "# "), Hash: hash(s.files[n])}
			if bad := complaints(p.File, s.files[n]); len(bad) > 0 {
				p.Problem = &bad[0]
			}
			all = append(all, p)
		}
		for _, n := range sorted(s.shipped) {
			all = append(all, control.ProfileInfo{Name: n, Question: strings.TrimPrefix(strings.SplitN(s.shipped[n], "\n", 2)[0], "# "), Hash: hash(s.shipped[n])})
		}
		return all, nil
	case control.VerbProfileRead:
		if t, ok := s.files[name]; ok {
			p := tree(name, t)
			p.Hash = hash(t)
			return p, nil
		}
		p := tree(name, s.shipped[name])
		p.Shipped = true
		return p, nil
	case control.VerbProfileEdit:
		return s.edit(name, text, word("op"), word("path"), word("value"))
	case control.VerbProfileSave:
		if there, ok := s.files[name]; ok && hash(there) != word("hash") {
			return nil, &control.Error{Message: verb + ": " + file + " has changed on disk since it was read; nothing was written", Hint: "open it again, or save under another name"}
		}
		s.files[name] = text
		p := tree(name, text)
		p.Hash = hash(text)
		return p, nil
	case control.VerbProfilePreview:
		if text == "" {
			if text = s.files[name]; text == "" {
				text = s.shipped[name]
			}
		}
		return previewOf(name, text), nil
	case control.VerbLoadStart, control.VerbCompareStart, control.VerbSearchStart:
		return control.Launch{ID: "01JD7QZ8M4T2AAAAAAAAAAAAAA", Kind: "load", Profile: word("profile"), PID: 4711, Log: "/srv/weir/prod/load/01JD7QZ8M4T2AAAAAAAAAAAAAA.log", At: at}, nil
	}
	return "done", nil
}

func sorted(m map[string]string) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

func hash(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

func (s *shelf) edit(name, text, op, path, value string) (any, error) {
	out, err := text, error(nil)
	switch op {
	case "set":
		out, err = edit.Set(text, path, value)
	case "put":
		out, err = edit.Put(text, path, value)
	case "add":
		out, err = edit.Add(text, path, value)
	case "remove":
		out, err = edit.Remove(text, path)
	}
	if err != nil {
		return nil, err
	}
	p := tree(name, out)
	switch op {
	case "set", "put":
		p.At = path
		for i, bad := range p.Problems {
			for _, f := range p.Fields {
				if f.Path == path && f.Line == bad.Line && f.Col == bad.Col {
					p.Edited = &p.Problems[i]
				}
			}
		}
	case "add":
		n := 0
		for _, f := range p.Fields {
			if strings.HasPrefix(f.Path, path+"[") && !strings.Contains(f.Path[len(path):], ".") {
				n++
			}
		}
		p.At = fmt.Sprintf("%s[%d]", path, n-1)
	}
	return p, nil
}

var helps = map[string]string{
	"rate": "When messages are due; or the word max: as fast as acknowledgements allow", "name": "Name of the profile; it stands in reports",
	"target": "Rate at the end of the stage, as 20k/s", "duration": "The last stage may leave it out: it then lasts until the volume is sent",
	"size": "Size of the whole Kafka value. Default schema: whatever the data gives", "max": "The highest that is good",
}

var goodRate = regexp.MustCompile(`^[0-9]+k?/s$`)

// complaints: a rate has to be one, and all has to be YAML.
func complaints(file, text string) (all []control.Problem) {
	root, err := edit.Parse(text)
	if err != nil {
		return []control.Problem{{File: file, Line: 2, Col: 7, Message: "this is not YAML: sequence end token ']' not found"}}
	}
	root.Walk(func(n *edit.Node) {
		if n.Key == "target" && !goodRate.MatchString(n.Text) {
			all = append(all, control.Problem{File: file, Line: n.Line, Col: n.Col, Message: fmt.Sprintf("%q is no rate; write 20k/s, 12MiB/s or max", n.Text)})
		}
		if n.Key == "volum" {
			all = append(all, control.Problem{File: file, Line: n.Line, Col: 1, Message: `unknown key "volum"; did you mean "volume"?`})
		}
	})
	return all
}

func tree(name, text string) *control.Profile {
	p := &control.Profile{Name: name, File: "profiles/" + name + ".yaml", Text: text, Problems: complaints("profiles/"+name+".yaml", text)}
	root, err := edit.Parse(text)
	if err != nil {
		return p
	}
	adds := []control.ProfileAddition{
		{Path: "volume", Key: "volume", Kind: "section", Help: "Bounds of the run; the first one reached ends it", Start: "{messages: 1M}"},
		{Path: "seed", Key: "seed", Kind: "value", Help: "Same seed: same records. Default 1", Expected: "a whole number", Start: "1"},
		{Path: "on_saturation", Key: "on_saturation", Kind: "value", Help: "What becomes of a message that is due while max_in_flight are on their way", Options: []string{"lag", "drop"}, Start: "lag"},
	}
	p.Fields = []control.ProfileField{{Kind: "section", Line: 1, Col: 1, Adds: adds}}
	var walk func(n *edit.Node, depth int)
	walk = func(n *edit.Node, depth int) {
		for _, c := range n.Children {
			f := control.ProfileField{Path: c.Path, Key: c.Key, Depth: depth, Kind: string(c.Kind), Value: c.Text, Line: c.Line, Col: c.Col, Help: helps[c.Key], Fixed: c.Fixed()}
			switch c.Key {
			case "target", "start":
				f.Expected, f.Required = "a rate such as 20k/s, 12MiB/s or max", c.Key == "target"
			case "distribution":
				f.Options = []string{"constant", "uniform", "normal", "lognormal", "pareto"}
			case "stages":
				f.Adds = []control.ProfileAddition{{Path: "rate.stages[]", Kind: "section", Start: "{name: steady, duration: 1m, target: 1k/s}"}}
			}
			if c.Kind != edit.Value {
				var words []string
				c.Walk(func(x *edit.Node) {
					if x.Kind == edit.Value {
						words = append(words, x.Text)
					}
				})
				f.Value = strings.Join(words, " ")
			}
			p.Fields = append(p.Fields, f)
			walk(c, depth+1)
		}
	}
	walk(root, 0)
	return p
}

// previewOf depends on the text as a real one does: on the targets of the stages.
func previewOf(name, text string) *control.ProfilePreview {
	v := &control.ProfilePreview{Name: name, Hash: hash(text), Topic: "orders.v2", Unit: "messages/s", Seconds: 6000, Messages: 228_000_000, Bytes: 251_000_000_000, Each: 412,
		Size: control.Quantiles{Count: 20_000, P50: 980, P90: 2100, P99: 4096, Max: 16_384}}
	if bad := complaints("profiles/"+name+".yaml", text); len(bad) > 0 {
		return &control.ProfilePreview{Name: name, Hash: hash(text), Error: fmt.Sprintf("%s:%d:%d: %s", bad[0].File, bad[0].Line, bad[0].Col, bad[0].Message)}
	}
	from, begin := 0.0, 0.0
	for i, m := range regexp.MustCompile(`duration: (\d+)m, target: (\d+)k`).FindAllStringSubmatch(text, -1) {
		var minutes, k float64
		fmt.Sscan(m[1], &minutes)
		fmt.Sscan(m[2], &k)
		for n := range 100 {
			x := float64(n) / 100
			v.Curve = append(v.Curve, control.Point{T: begin + x*minutes*60, Target: from + x*(k*1000-from)})
		}
		begin, from = begin+minutes*60, k*1000
		v.Peak = max(v.Peak, from)
		v.Stages = append(v.Stages, control.Stage{Name: []string{"ramp", "hold", "third"}[min(i, 2)], Duration: minutes * 60, Target: from})
	}
	v.Curve = append(v.Curve, control.Point{T: begin, Target: from})
	v.PeakB, v.Cores = v.Peak*1100, v.Peak*412/1e9
	for i, n := range []int64{3, 9, 30, 80, 200, 410, 640, 700, 520, 330, 190, 110, 60, 30, 16, 9, 5, 3, 2, 1} {
		v.Sizes = append(v.Sizes, control.SizeBar{Bytes: int64(100 * (i + 1)), Count: n})
	}
	v.Parts = []control.PreviewPart{{Topic: "orders.v2", Share: 1, Keys: 18_204, Hottest: 0.31, Partitions: 12, Of: 20_000, Faults: 20}}
	if v.Peak > 100_000 {
		v.Warnings = append(v.Warnings, "retention of orders.v2 is 1 TB: the first messages would be gone after 34 minutes, and the proof could not hold")
	}
	v.Warnings = append(v.Warnings, "31 % of the messages of orders.v2 go to one partition")
	v.Samples = []control.PreviewSample{
		{Number: 0, Key: "acct-88213", Bytes: 1024, Record: `{"amount":12.5,"country":"DE","currency":"EUR","id":"01JD7QZ8M4T2","note":"a text that grows to the size that was asked for"}`, Hex: "00000000071a2b3c4d5e6f"},
		{Number: 7, Key: "acct-1", Bytes: 18, Fault: "truncated", Hex: "00000000071a"},
	}
	return v
}

// settle runs the commands that a message leads to, and those that their answers lead to, until nothing is left to be asked.
func settle(m *model, msgs ...tea.Msg) {
	for _, msg := range msgs {
		_, cmd := m.Update(msg)
		carry(m, cmd)
	}
}

func carry(m *model, cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	switch msg := cmd().(type) {
	case tea.BatchMsg:
		for _, c := range msg {
			carry(m, c)
		}
	case verbMsg:
		_, next := m.Update(msg)
		carry(m, next)
	}
}
