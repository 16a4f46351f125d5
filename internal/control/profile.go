package control

import "time"

// Verbs of profiles and of what is started by hand. Each takes one JSON object; the results are the types below.
//
//	profile.list {}                                          []ProfileInfo
//	profile.read {name}                                      Profile
//	profile.edit {name, text, op, path, value}               Profile; op: set, add, put, remove, or none: only look. Nothing is written
//	profile.preview {name, text, samples}                    ProfilePreview; without text that of the file
//	profile.save {name, text, hash}                          Profile; hash is that of the text that was read, empty: the file must be new
//	load.start {profile}                                     Launch
//	compare.start {profile, baseline, candidate, pairs}      Launch
//	search.start {profile, slo, from, to, trial, max_time}   Launch
//	launch.stop {id}                                         what was started gets an interrupt: it ends with its results
const (
	VerbProfiles       = "profile.list"
	VerbProfileRead    = "profile.read"
	VerbProfileEdit    = "profile.edit"
	VerbProfilePreview = "profile.preview"
	VerbProfileSave    = "profile.save"
	VerbLoadStart      = "load.start"
	VerbCompareStart   = "compare.start"
	VerbSearchStart    = "search.start"
	VerbLaunchStop     = "launch.stop"
)

// ProfileInfo is a line of the list of profiles.
type ProfileInfo struct {
	Name     string   `json:"name"`
	Question string   `json:"question,omitempty"` // that a run with it answers
	File     string   `json:"file,omitempty"`     // in the project; empty: it comes with weir
	Hides    bool     `json:"hides,omitempty"`    // a profile of the same name that comes with weir
	Hash     string   `json:"hash"`
	Problem  *Problem `json:"problem,omitempty"` // the first one, if it cannot run
}

// A Profile is a profile's text with everything that its editor shows.
type Profile struct {
	Name     string         `json:"name"`
	File     string         `json:"file"`              // where it lies, or will lie once it is saved
	Shipped  bool           `json:"shipped,omitempty"` // it comes with weir; saving makes a copy in the project
	Hash     string         `json:"hash"`              // of the file as it was read; empty: there is none yet
	Text     string         `json:"text"`
	Fields   []ProfileField `json:"fields,omitempty"` // empty if the text is no YAML
	Problems []Problem      `json:"problems,omitempty"`
	Edited   *Problem       `json:"edited,omitempty"` // what is wrong with the value that was just set
	At       string         `json:"at,omitempty"`     // path of what was set or added
}

// A ProfileField is a place of a profile.
type ProfileField struct {
	Path  string `json:"path"` // rate.stages[1].target
	Key   string `json:"key"`
	Depth int    `json:"depth"`
	Kind  string `json:"kind"`            // value, section, list
	Value string `json:"value,omitempty"` // as it is written; of a section its values in one line
	Line  int    `json:"line"`
	Col   int    `json:"col"`

	Help     string            `json:"help,omitempty"`
	Expected string            `json:"expected,omitempty"` // how a value is written
	Options  []string          `json:"options,omitempty"`  // all values that it can have
	Required bool              `json:"required,omitempty"`
	Fixed    bool              `json:"fixed,omitempty"` // it can only be changed in the text
	Adds     []ProfileAddition `json:"adds,omitempty"`  // keys that a section can still have; of a list one without a key: an element
}

// A ProfileAddition is what can be added to a section or list.
type ProfileAddition struct {
	Path     string   `json:"path"`
	Key      string   `json:"key,omitempty"`
	Kind     string   `json:"kind"`
	Help     string   `json:"help,omitempty"`
	Expected string   `json:"expected,omitempty"`
	Options  []string `json:"options,omitempty"`
	Start    string   `json:"start"` // what it begins with
}

// A Problem is a complaint with its place; Line 0 is the whole.
type Problem struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line"`
	Col     int    `json:"col"`
	Message string `json:"message"`
}

// ProfilePreview is what a run of a profile would do.
type ProfilePreview struct {
	Name     string  `json:"name"`
	Hash     string  `json:"hash"` // of the text that it is of
	Topic    string  `json:"topic"`
	Unit     string  `json:"unit"`               // of the rates: messages/s or bytes/s
	Curve    []Point `json:"curve,omitempty"`    // T and Target; empty: acknowledgements decide
	Seconds  float64 `json:"seconds,omitempty"`  // 0: not known beforehand
	Messages int64   `json:"messages,omitempty"` // 0: not known beforehand
	Bytes    int64   `json:"bytes,omitempty"`

	Stages   []Stage         `json:"stages,omitempty"`
	Size     Quantiles       `json:"size_bytes"`
	Sizes    []SizeBar       `json:"sizes,omitempty"`
	Parts    []PreviewPart   `json:"parts,omitempty"`
	Peak     float64         `json:"peak_per_s,omitempty"` // messages/s
	PeakB    float64         `json:"peak_bytes_per_s,omitempty"`
	Cores    float64         `json:"cores"` // to make the messages at the peak, on this machine
	Each     float64         `json:"ns_per_record"`
	Warnings []string        `json:"warnings,omitempty"`
	Samples  []PreviewSample `json:"samples,omitempty"`
	Error    string          `json:"error,omitempty"` // why there is no preview
}

// A PreviewPart is one topic of a preview.
type PreviewPart struct {
	Name       string  `json:"name,omitempty"`
	Topic      string  `json:"topic"`
	Share      float64 `json:"share"` // of the messages
	Keys       int     `json:"keys"`
	Hottest    float64 `json:"hottest"` // share of the partition that gets most
	Partitions int     `json:"partitions"`
	Faults     int64   `json:"faults,omitempty"`
	Of         int64   `json:"of"` // messages sampled
}

// A PreviewSample is one message as a person reads it.
type PreviewSample struct {
	Number uint64 `json:"number"`
	Part   string `json:"part,omitempty"`
	Fault  string `json:"fault,omitempty"`
	Key    string `json:"key,omitempty"`
	Bytes  int    `json:"bytes"`
	Record string `json:"record,omitempty"` // JSON
	Hex    string `json:"hex"`              // its beginning
}

// A Launch is a program that was started by hand from a screen. It goes on when the screens and their server are gone.
type Launch struct {
	ID      string    `json:"id"`
	Kind    string    `json:"kind"` // load, compare, search
	Profile string    `json:"profile"`
	Command string    `json:"command"` // as a person would type it
	PID     int       `json:"pid"`
	Log     string    `json:"log"` // file with all that it says
	At      time.Time `json:"at"`
	State   string    `json:"state"`          // Running, Done
	Last    string    `json:"last,omitempty"` // line that it said
}
