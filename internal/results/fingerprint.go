package results

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
)

// A Fingerprint is what must be equal for figures of two days to be compared.
type Fingerprint struct {
	Host    string `json:"host"` // what the machine calls itself: a cloud's instance type
	CPU     string `json:"cpu"`
	CPUs    int    `json:"cpus"`
	OS      string `json:"os"`
	Kernel  string `json:"kernel"`
	Broker  string `json:"broker"`
	Profile string `json:"profile"` // hash of its text and of the flags that changed it
	Go      string `json:"go"`      // version and build flags of loadgen
	Build   string `json:"build"`   // revision of loadgen; two of them may be compared
}

// Here is the fingerprint of this machine and this program.
func Here(broker string) Fingerprint {
	f := Fingerprint{
		Host: line("/sys/class/dmi/id/product_name"), CPUs: runtime.GOMAXPROCS(0), OS: runtime.GOOS + "/" + runtime.GOARCH, CPU: cpuModel(),
		Kernel: line("/proc/sys/kernel/osrelease"), Broker: broker, Go: runtime.Version(), Build: "unknown",
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		f.fromBuild(info.Settings)
	}
	return f
}

func (f *Fingerprint) fromBuild(all []debug.BuildSetting) {
	dirty := ""
	for _, s := range all {
		switch s.Key {
		case "vcs.revision":
			f.Build = s.Value
		case "vcs.modified":
			if s.Value == "true" {
				dirty = "+changes"
			}
		case "-race", "-tags", "-gcflags", "-msan", "-asan", "-cover":
			f.Go += " " + s.Key + "=" + s.Value
		}
	}
	f.Build += dirty
}

func line(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	s, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
	return s
}

func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if name, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// fields are what must be equal, by name.
func (f Fingerprint) fields() [][2]string {
	return [][2]string{
		{"host", f.Host}, {"cpu", f.CPU}, {"cpus", fmt.Sprint(f.CPUs)}, {"os", f.OS}, {"kernel", f.Kernel}, {"broker", f.Broker}, {"profile", f.Profile}, {"go", f.Go},
	}
}

// Key is the same for runs that may be compared.
func (f Fingerprint) Key() string { return hash(fmt.Sprintf("%q", f.fields()), nil) }

// Differs names what is not equal, empty if the runs may be compared.
func (f Fingerprint) Differs(o Fingerprint) []string {
	var out []string
	theirs := o.fields()
	for i, x := range f.fields() {
		if x[1] != theirs[i][1] {
			out = append(out, fmt.Sprintf("%s %q, not %q", x[0], x[1], theirs[i][1]))
		}
	}
	return out
}

func hash(text string, flags []string) string {
	sum := sha256.Sum256([]byte(text + "\x00" + strings.Join(flags, "\x00")))
	return hex.EncodeToString(sum[:8])
}
