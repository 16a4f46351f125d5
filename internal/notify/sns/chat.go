package sns

import (
	"strings"

	"weir/internal/notify/channel"
	"weir/internal/notify/cloudevent"
)

// Custom notifications of Amazon Q Developer in chat applications (AWS Chatbot), which brings a topic to Slack and Teams:
// docs.aws.amazon.com/chatbot, "Custom notifications". Notifications with one threadId stand in one thread. The limits are
// ours, in bytes: what is longer is read by nobody in a chat.
const (
	maxTitle       = 250
	maxDescription = 8000
	maxStep        = 350
	maxChatSummary = 300
	maxThread      = 500
)

type chat struct {
	Version  string       `json:"version"`
	Source   string       `json:"source"`
	ID       string       `json:"id"`
	Content  chatContent  `json:"content"`
	Metadata chatMetadata `json:"metadata"`
}

type chatContent struct {
	TextType    string   `json:"textType"`
	Title       string   `json:"title"`
	Description string   `json:"description"`
	NextSteps   []string `json:"nextSteps,omitempty"`
}

type chatMetadata struct {
	ThreadID  string            `json:"threadId"`
	Summary   string            `json:"summary"`
	EventType string            `json:"eventType"`
	Context   map[string]string `json:"additionalContext"`
}

// chatOf writes the message for chat. All that belongs to an incident stands in its thread, and whatever else is told about
// a job and date stands together.
func chatOf(p channel.Post) chat {
	m := p.Message
	lines := append([]string(nil), m.Lines...)
	if m.Why != "" {
		lines = append(lines, m.Labels().Why+" "+m.Why)
	}
	if m.Rows != "" {
		lines = append(lines, m.Rows)
	}
	if m.Ask != "" {
		lines = append(lines, m.Labels().Ask+" "+m.Ask)
	}
	for _, l := range m.Links {
		lines = append(lines, l.Text+": "+l.URL)
	}
	lines = append(lines, m.Footer)
	thread := m.Incident
	if thread == "" {
		thread = m.Key
	}
	return chat{
		Version: "1.0", Source: "custom", ID: cloudevent.Trim(m.EventID, 64),
		Content: chatContent{
			TextType: "client-markdown", Title: harmless(m.First(), maxTitle), Description: harmless(strings.Join(lines, "\n"), maxDescription),
			NextSteps: []string{harmless(m.Todo, maxStep)},
		},
		Metadata: chatMetadata{
			ThreadID: cloudevent.Trim(thread, maxThread), Summary: harmless(m.Short(), maxChatSummary), EventType: cloudevent.Type(m),
			Context: map[string]string{"unit": cloudevent.Trim(m.Outcome.Unit, 100), "job": cloudevent.Trim(m.Outcome.Job, 100), "state": string(m.Outcome.State)},
		},
	}
}

var angles = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// harmless keeps an error's text from mentioning a channel or forging a link (Slack acts on <…>, Teams on [text](address)),
// in at most n bytes.
func harmless(s string, n int) string {
	s = strings.ReplaceAll(visible(s), "](", "] (")
	for most := n; ; most = most * 3 / 4 {
		if out := angles.Replace(cloudevent.Trim(s, most)); len(out) <= n {
			return out
		}
	}
}

// PreviewChat gives what Amazon Q Developer would get.
func PreviewChat(p channel.Post) any { return chatOf(p) }
