package parts

import (
	"os/exec"
	"strings"
	"testing"
)

// AlertmanagerCommand gives the path of a real Alertmanager.
func AlertmanagerCommand(t testing.TB) string {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		missing(t)("Alertmanager: go is not on the PATH")
	}
	path, err := script(t, "alertmanager", fetchTime, nil, "path")
	if err != nil {
		missing(t)("Alertmanager: not to be had: %v", err)
	}
	return strings.TrimSpace(path)
}
