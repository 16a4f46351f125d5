package mail

import (
	"context"
	"fmt"
	"time"

	"weir/internal/notify/channel"
)

// soon is when a certificate that ends is worth a warning.
const soon = 14 * 24 * time.Hour

// Examine connects, encrypts and logs in, and hangs up.
func (m *mailer) Examine(ctx context.Context) []channel.Finding {
	c, err := m.client(ctx)
	if err != nil {
		return []channel.Finding{channel.Failed("login", err)}
	}
	conn, err := c.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return []channel.Finding{channel.Failed("login", dialFailed(err))}
	}
	defer func() { _ = c.CloseWithSMTPClient(conn) }()
	f := channel.Finding{Check: "login", Level: channel.Good, Text: "the server lets everybody in"}
	if m.User != "" {
		f.Text = "logged in as " + m.User
	}
	tls := channel.Finding{Check: "encryption", Level: channel.Note, Text: "mails leave in clear", Fix: "use security: starttls unless the server is on this machine"}
	if state, err := conn.GetTLSConnectionState(); err == nil && len(state.PeerCertificates) > 0 {
		end := state.PeerCertificates[0].NotAfter
		tls = channel.Finding{Check: "encryption", Level: channel.Good, Text: "the certificate is good until " + end.UTC().Format("2 Jan 2006 15:04 MST")}
		if left := time.Until(end); left < soon {
			tls.Level, tls.Text = channel.Warn, fmt.Sprintf("the certificate ends in %d hours", int(left.Hours()))
			tls.Fix = "tell those who run the mail server"
		}
	}
	return []channel.Finding{f, tls}
}
