// Package words holds what notify says to people, one [Set] for each language: texts with {places}, and how numbers, dates
// and times are written.
//
// Start with [Of]; [Fill] puts values into a text. A new language is one file like german.go and a line in sets: its test
// says which words it lacks.
package words

import (
	"strings"

	"weir/internal/outcome"
)

// sets has the languages, in the order in which they are named to somebody who asks for another one.
var sets = []*Set{&english, &german}

// Of gives the words of a language by its tag; English where there are none.
func Of(tag string) *Set {
	for _, s := range sets {
		if s.Tag == tag {
			return s
		}
	}
	return &english
}

// Tags names the languages that exist.
func Tags() []string {
	var tags []string
	for _, s := range sets {
		tags = append(tags, s.Tag)
	}
	return tags
}

// Fill puts values into a text: name, value, name, value … for each {name}. No value is filled a second time.
func Fill(text string, pairs ...string) string {
	if len(pairs) == 0 || !strings.Contains(text, "{") {
		return text
	}
	old := make([]string, len(pairs))
	for i, p := range pairs {
		if old[i] = p; i%2 == 0 {
			old[i] = "{" + p + "}"
		}
	}
	return strings.NewReplacer(old...).Replace(text)
}

// A Set is a language. All its texts are raw: each channel escapes for its own format. {took}, {tries} and the like are
// texts of the set themselves, or empty.
type Set struct {
	Tag    string // BCP 47
	Labels Labels
	Links  Links
	Forms  Forms

	States map[outcome.State]State
	Own    Own // what notify tells of itself
	Digest Digest
	Run    Run
	Todo   Todo
	Rows   Rows
	Due    Overdue
	Reply  Reply
	Fold   Fold
	Advice map[string]string // how to mend a blocked channel, by the name of the advice
}

// Labels stand before a message's parts.
type Labels struct{ Why, Todo, Ask, Continues string }

// Links are what addresses lead to.
type Links struct{ Run, Rejected, Runbook string }

// A State is how a state is called.
type State struct {
	Word    string // in the first line
	Verdict string // after it: can the data be used
	Said    string // in a sentence
	Brief   string // in a list
}

// Run says when, and what of.
type Run struct {
	For, ForHours, ForDays, Of string // what the data is of: {date} {from} {to}
	Took                       string // {took}
	Tries                      string // {n} {max}
	RunningSince, ReadySince   string // {at} {took}
	AfterDue, AfterFailure     string // {at} {late}
	Stopped, Anew, Failed      string // {at} {took} {tries}
	OldFigures                 string // {date}
	NothingHalf, LoadedStays   string
	Footer, Try, Log           string // {run}, {n} {max}, {log}
}

// Todo is what the reader should do.
type Todo struct {
	Data, Named                      string // what can be used: {names}
	Wait, Nothing, Again, Care       string // {data}
	Rejected                         string // {n}
	Cancelled, Healing, Failed       string
	WaitForIt, UseOld, Next, Another string // overdue: {date}, then {at}
}

// Rows are figures, and what is wrong with them.
type Rows struct {
	Loaded, All, LeftOut            string // {n}, {in} {loaded} {rejected}, {n}
	Usual                           string // {day} {change} {low} {high}
	Day                             string // any day
	TooFew, Unusual                 string // {n} {min}, {n} {low} {high}
	RejectedTooMany, RejectedUnlike string // {share} {max}
}

// Overdue is about a run that has not come.
type Overdue struct {
	Noticed, Since, NoticedLate          string // {at}, {due} {now} {late}
	NotStarted, Started, Silence         string // {at}
	InputFailed, InputMissing, InputDone string // {job} {at}
	UsuallyBy, IfNow, Silent             string // {at}
	LastGood, LastRows                   string // {date} {rows}, {n}
}

// Reply is the line in the thread.
type Reply struct {
	Failed, Recovered, After, Rows, Other string // {symbol} {said} {at} {tries} {after} {rows}, {late}, {n}
}

// Fold is about jobs that wait for another.
type Fold struct {
	Waiting, More    string // {jobs}, {n}
	Due, Failed, Now string // {job} {due} {at} {state}
}

// Digest is one message a day about a unit.
type Digest struct {
	Word, Subject, Footer        string // {unit} {date}
	Figures, Warnings, Cancelled string // {ready} {late} {failed}, {n}
	OnlyHeld, Held, Open, More   string // {n}, {list}
	Nothing, Careful             string
	Dead, Expired                string // {n}
}

// Own is what notify tells of its channels.
type Own struct {
	Dead, Blocked, Works Notice
	Footer               string // {channel} {at}
	Expired, ExpiredWhy  string // instead of what a message was about: {n}, {age}
	TestTitle, TestTodo  string // {channel}
}

// A Notice is about a channel.
type Notice struct{ Word, Verdict, Subject, Todo string } // {channel} {about} {event} {advice}
