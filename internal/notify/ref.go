package notify

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// A Ref says where a secret is, never the secret itself: env:NAME or file:PATH. It is read again at each use, so that a
// mended file works at once.
type Ref string

// UnmarshalYAML takes the reference as it is written, not what it stands for; ${env:NAME} means the same as env:NAME here.
func (r *Ref) UnmarshalYAML(n ast.Node) error {
	text := n.GetToken().Value
	if in, ok := strings.CutPrefix(text, "${"); ok {
		text = strings.TrimSuffix(in, "}")
	}
	*r = Ref(text)
	return nil
}

func (r Ref) validate() error {
	kind, name, _ := strings.Cut(string(r), ":")
	switch {
	case r == "":
		return errors.New("is missing; write env:NAME or file:PATH")
	case (kind == "env" || kind == "file") && name != "":
		return nil
	}
	// Whatever stands there may be the secret: it must not be repeated.
	return errors.New("must say where the secret is, not the secret itself; write env:NAME or file:PATH")
}

// String hides what is no reference.
func (r Ref) String() string {
	if r.validate() != nil {
		return "<secret>"
	}
	return string(r)
}

// GoString hides it in %#v as well.
func (r Ref) GoString() string { return r.String() }

// MarshalText hides it in JSON and YAML as well.
func (r Ref) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// reveal gives the secret.
func (r Ref) reveal(getenv func(string) string) (string, error) {
	if err := r.validate(); err != nil {
		return "", err
	}
	kind, name, _ := strings.Cut(string(r), ":")
	if kind == "env" {
		if v := getenv(name); v != "" {
			return v, nil
		}
		return "", fmt.Errorf("environment variable %s is not set", name)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	v := strings.TrimSpace(string(b))
	if v == "" {
		return "", fmt.Errorf("file %s is empty", name)
	}
	return v, nil
}
