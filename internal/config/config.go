// Package config decodes weir's YAML files strictly.
//
// Start with [Load]. Each feature owns its struct, with `yaml` tags; a key that must be there has `jsonschema:"required"`, and
// what a tag cannot say is said by a method Validate() []Invalid. This package knows no feature.
//
// # Promises
//
// Every complaint has file, line and column, says what was expected, and names the nearest key where one is misspelt. All
// complaints of a file come at once. ${NAME}, ${NAME:-default}, ${env:NAME} and ${file:PATH} are expanded in values; a [Secret] prints
// itself nowhere. A file may lie on others ([Under]), and flags over it ([Set]): then each complaint names the one that is meant.
package config

import (
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Invalid is a complaint about one field, named by its path from the struct that complains: "stages[0].target".
type Invalid struct {
	Path    string
	Message string
}

// A Validator says what is wrong with a struct once it has been decoded. Any struct within a file may be one.
type Validator interface{ Validate() []Invalid }

// A Problem is one complaint with its place.
type Problem struct {
	File      string
	Line, Col int
	Message   string
}

func (p Problem) Error() string {
	if p.Line == 0 {
		return p.File + ": " + p.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Col, p.Message)
}

// Problems are all complaints about one file, or several.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].Error()
	}
	return strings.Join(lines, "\n")
}

// ExitCode makes a program end with "wrong usage or configuration".
func (p Problems) ExitCode() int { return 2 }

// An Option changes how a file is decoded.
type Option func(*options)

type options struct {
	getenv   func(string) (string, bool)
	readFile func(string) ([]byte, error)
	below    []Layer
	whole    func(path string, keys []string) bool
	settings []setting
}

// WithEnv takes the variables of ${env:NAME} from somewhere else than the process.
func WithEnv(lookup func(string) (string, bool)) Option {
	return func(o *options) { o.getenv = lookup }
}

// WithoutExpansion leaves ${…} as it is written: for a check on a machine that has neither the variables nor the files.
func WithoutExpansion() Option {
	return func(o *options) { o.getenv = nil }
}

// Load reads and decodes a file into the struct that v points to.
func Load(path string, v any, opt ...Option) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return Decode(path, b, v, opt...)
}

// Decode decodes data into the struct that v points to; name stands in the complaints. The error, if any, is Problems.
func Decode(name string, data []byte, v any, opt ...Option) error {
	d := newDecoder(name, opt)
	if root, ok := d.tree(data); ok {
		d.decodeRoot(root, v)
	}
	return d.result()
}

func newDecoder(name string, opt []Option) *decoder {
	o := options{getenv: os.LookupEnv, readFile: os.ReadFile}
	for _, f := range opt {
		f(&o)
	}
	return &decoder{options: o, file: name}
}

// Place finds the line and column of a field in a file, for complaints that only its user can make (a table that does not
// exist). Where the field is absent, it is the place of its nearest parent.
func Place(name string, data []byte, path, message string, opt ...Option) Problem {
	d := newDecoder(name, opt)
	root, ok := d.tree(data)
	if !ok {
		return Problem{File: name, Line: 1, Col: 1, Message: message}
	}
	d.complain(find(root, path), "%s", message)
	return d.problems[0]
}

func (d *decoder) parse(data []byte) (ast.Node, bool) {
	f, err := parser.ParseBytes(data, 0)
	if err != nil {
		d.problems = append(d.problems, syntax(d.file, data, err))
		return nil, false
	}
	var docs []ast.Node
	for _, doc := range f.Docs {
		if doc.Body != nil && doc.Body.Type() != ast.CommentType {
			docs = append(docs, doc.Body)
		}
	}
	switch {
	case len(docs) == 0:
		d.problems = append(d.problems, Problem{d.file, 1, 1, "the file is empty; `pipeline init` writes examples"})
		return nil, false
	case len(docs) > 1:
		d.complain(docs[1], "expected one document, found a second one after ---; put it into a file of its own")
		return nil, false
	}
	return docs[0], true
}

// syntax takes the place out of the parser's own error.
func syntax(file string, data []byte, err error) Problem {
	p := Problem{File: file, Line: 1, Col: 1, Message: err.Error()}
	type placed interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if e, ok := err.(placed); ok { //nolint:errorlint // the parser returns it bare
		p.Message = e.GetMessage()
		if t := e.GetToken(); t != nil && t.Position != nil {
			p.Line, p.Col = t.Position.Line, t.Position.Column
		}
	}
	lines := strings.Split(string(data), "\n")
	if p.Line-1 < len(lines) && strings.Contains(lines[max(0, p.Line-1)], "\t") {
		p.Message += " (the line has a tab: YAML is indented with spaces)"
	}
	if p.Line-1 < len(lines) && strings.Contains(lines[max(0, p.Line-1)], "${") {
		p.Message += " (within { } and [ ], a reference stands in quotes: \"${NAME}\")"
	}
	p.Message = "this is not YAML: " + plainly(p.Message)
	return p
}

var definedTwice = regexp.MustCompile(`^mapping key "(.*)" already defined at \[(\d+):\d+\]`)

// plainly says the parser's most frequent complaints in words.
func plainly(said string) string {
	if m := definedTwice.FindStringSubmatch(said); m != nil {
		return fmt.Sprintf("key %q stands here a second time; the first is in line %s", m[1], m[2])
	}
	for from, to := range map[string]string{
		"could not find flow mapping end token '}'":          "a { has no }; close it",
		"could not find flow sequence end token ']'":         "a [ has no ]; close it",
		"sequence end token ']' not found":                   "a [ has no ]; close it",
		"',' or '}' must be specified":                       "expected , or } here",
		"',' or ']' must be specified":                       "expected , or ] here",
		"could not find end character of double-quoted text": `a " has no second one; close it`,
		"could not find end character of single-quoted text": "a ' has no second one; close it",
	} {
		if strings.HasPrefix(said, from) {
			return to + said[len(from):]
		}
	}
	return said
}
