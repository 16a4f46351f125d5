package output

import (
	"encoding/xml"
	"fmt"
	"time"

	"weir/internal/results"
)

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Time       string          `xml:"time,attr"`
	Timestamp  string          `xml:"timestamp,attr"`
	Properties []junitProperty `xml:"properties>property"`
	Cases      []junitCase     `xml:"testcase"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Class   string       `xml:"classname,attr"`
	Name    string       `xml:"name,attr"`
	Time    string       `xml:"time,attr"`
	Failure *junitReason `xml:"failure"`
	Error   *junitReason `xml:"error"`
	Out     string       `xml:"system-out,omitempty"`
}

type junitReason struct {
	Type    string `xml:"type,attr"`
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// JUnit has a testcase for each gate. What could not be judged is an error; what only warns passes, with its text.
func JUnit(r results.Report) ([]byte, error) {
	s := junitSuite{
		Name: "loadgen " + r.Name, Tests: len(r.Gates), Time: fmt.Sprintf("%.3f", r.Seconds), Timestamp: r.At.UTC().Format(time.RFC3339),
		Properties: []junitProperty{{"id", r.ID}, {"verdict", r.Verdict}},
	}
	if r.Run != nil {
		for _, f := range figures(r.Run) {
			s.Properties = append(s.Properties, junitProperty(f))
		}
	}
	for _, g := range r.Gates {
		c := junitCase{Class: "loadgen." + r.Name + "." + g.Group, Name: g.Name, Time: "0.000"}
		reason := &junitReason{Type: g.Group, Message: oneLine(g.Text), Text: g.Text}
		switch g.State {
		case results.Fail:
			c.Failure = reason
			s.Failures++
		case results.Invalid:
			c.Error = reason
			s.Errors++
		case results.Pass, results.Warn:
			c.Out = g.Text
		}
		s.Cases = append(s.Cases, c)
	}
	b, err := xml.MarshalIndent(junitSuites{Name: "loadgen", Tests: s.Tests, Failures: s.Failures, Errors: s.Errors, Time: s.Time, Suites: []junitSuite{s}}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("junit: %w", err)
	}
	return append([]byte(xml.Header), append(b, '\n')...), nil
}
