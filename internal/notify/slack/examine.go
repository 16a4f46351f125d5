package slack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	slackgo "github.com/slack-go/slack"

	"weir/internal/notify/channel"
)

// Examine looks at the token, its scopes, the channel and the clocks.
func (s *slack) Examine(ctx context.Context) []channel.Finding {
	c, err := s.client()
	if err != nil {
		return []channel.Finding{channel.Failed("token", err)}
	}
	asked := time.Now()
	who, err := c.AuthTestContext(ctx)
	if err != nil {
		return []channel.Finding{channel.Failed("token", classify(err))}
	}
	all := append([]channel.Finding{{Check: "token", Level: channel.Good, Text: fmt.Sprintf("is %s of %s", who.User, who.Team)}}, channel.ClockOf(who.Header, asked)...)
	var scopes []string
	for s := range strings.SplitSeq(who.Header.Get("X-Oauth-Scopes"), ",") {
		if s = strings.TrimSpace(s); s != "" {
			scopes = append(scopes, s)
		}
	}
	room, err := c.GetConversationInfoContext(ctx, &slackgo.GetConversationInfoInput{ChannelID: s.Channel})
	return append(append(all, member(s.Channel, room, err)...), granted(scopes, room)...)
}

// member says whether the app can post into the channel.
func member(id string, room *slackgo.Channel, err error) []channel.Finding {
	f := channel.Finding{Check: "member", Level: channel.Good}
	var said slackgo.SlackErrorResponse
	switch {
	case errors.As(err, &said) && said.Err == "missing_scope":
		f.Level, f.Text = channel.Note, "cannot be seen: the app may not look at channels"
		f.Fix = "give the app the scopes channels:read and groups:read"
	case err != nil:
		f = channel.Failed("member", classify(err))
	case room.IsArchived:
		f.Level, f.Text, f.Code = channel.Bad, "#"+room.Name+" is archived", "is_archived"
	case !room.IsMember:
		f.Level, f.Text, f.Code = channel.Bad, "the app is not in #"+room.Name, "not_in_channel"
		f.Fix = "invite the app: write /invite @APP in #" + room.Name
	default:
		f.Text = "the app is in #" + room.Name + " (" + id + ")"
	}
	return []channel.Finding{f}
}

// granted says what the scopes are enough for.
func granted(scopes []string, room *slackgo.Channel) []channel.Finding {
	if len(scopes) == 0 {
		return []channel.Finding{{Check: "scopes", Level: channel.Note, Text: "cannot be seen: the answer names none"}}
	}
	f := channel.Finding{Check: "scopes", Level: channel.Good, Text: strings.Join(scopes, ", ")}
	if !slices.Contains(scopes, "chat:write") {
		f.Level, f.Code, f.Fix = channel.Bad, "missing_scope", "give the app the scope chat:write and install it again"
	}
	need := []string{"channels:history", "groups:history"} // either, as long as the channel cannot be seen
	if room != nil {
		need = need[:1]
		if room.IsPrivate {
			need = []string{"groups:history"}
		}
	}
	look := channel.Finding{Check: "look-up", Level: channel.Good, Text: "a message of unknown result is looked up in the channel's history"}
	if !slices.ContainsFunc(need, func(s string) bool { return slices.Contains(scopes, s) }) {
		look.Level, look.Code = channel.Warn, "missing_scope"
		look.Text = "the app may not read the channel's history"
		look.Fix = "give the app the scope " + strings.Join(need, " or ") + " and install it again"
	}
	return []channel.Finding{f, look}
}
