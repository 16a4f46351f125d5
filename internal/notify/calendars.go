package notify

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"weir/internal/calendar"
)

// calendars are the working days of each unit.
func calendars(u Units) (map[string]calendar.Calendar, error) {
	days := map[string]calendar.Calendar{}
	for name, unit := range u.Units {
		c, err := workingDays(unit.Calendar)
		if err != nil {
			return nil, fmt.Errorf("units.%s.calendar: %w", name, err)
		}
		days[name] = c
	}
	return days, nil
}

// mostCalendar is the biggest file of dates that is read, in bytes.
const mostCalendar = 1 << 20

// workingDays reads what stands under `calendar`: a name, or file:PATH. Empty means Monday to Friday.
func workingDays(s string) (calendar.Calendar, error) {
	path, isFile := strings.CutPrefix(s, "file:")
	if !isFile {
		if s == "" {
			s = "weekdays"
		}
		c, err := calendar.Named(s)
		if near := didYouMean(s, calendar.Names()); err != nil && near != "" {
			return c, fmt.Errorf("there is no calendar %q%s", s, near)
		}
		return c, err
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return calendar.Calendar{}, fmt.Errorf("%s: no such file", path)
	case err != nil:
		return calendar.Calendar{}, err
	case !info.Mode().IsRegular() || info.Size() > mostCalendar:
		return calendar.Calendar{}, fmt.Errorf("%s: expected a file of dates of at most %d bytes", path, mostCalendar)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return calendar.Calendar{}, err
	}
	return calendar.Parse(path, string(b))
}
