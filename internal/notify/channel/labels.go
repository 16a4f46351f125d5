package channel

import "weir/internal/notify/words"

// Lang is the message's language as a tag: en unless it says otherwise.
func (m Message) Lang() string { return words.Of(m.Language).Tag }

// Labels are the words that stand before the message's parts.
func (m Message) Labels() words.Labels { return words.Of(m.Language).Labels }
