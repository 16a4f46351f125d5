package channel

// Labels are the words that stand before a message's parts, in its language.
type Labels struct{ Why, Todo, Ask, Continues string }

var labels = map[string]Labels{
	"en": {Why: "Why:", Todo: "What to do:", Ask: "Ask:", Continues: "This continues an earlier message that can no longer be changed."},
	"de": {Why: "Grund:", Todo: "Was zu tun ist:", Ask: "Fragen an:", Continues: "Dies setzt eine frühere Nachricht fort, die nicht mehr geändert werden kann."},
}

// Lang is the message's language as a tag: en unless it says otherwise.
func (m Message) Lang() string {
	if _, ok := labels[m.Language]; ok {
		return m.Language
	}
	return "en"
}

// Labels are those of the message's language.
func (m Message) Labels() Labels { return labels[m.Lang()] }
