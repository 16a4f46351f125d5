package scale

import (
	"fmt"
	"math"
	"time"
)

func sayWanted(was, n, raw, partitions int, p *Policy) string {
	head := many(n, "worker")
	if n != was {
		head = fmt.Sprintf("%d to %s", was, many(n, "worker"))
	}
	d := &p.demand
	if d.mu == 0 {
		if d.age > late {
			return fmt.Sprintf("%s: the oldest record is %s late, and no worker's capacity is known yet", head, seconds(d.age))
		}
		return fmt.Sprintf("%s: %s arrive, and no worker has been busy yet", head, perSecond(d.short))
	}
	text := fmt.Sprintf("%s: %s arrive, one worker does %s", head, perSecond(d.short), perSecond(d.mu))
	if d.age > late {
		text += fmt.Sprintf(", the oldest record is %s late", seconds(d.age))
	}
	switch {
	case n < was:
		text += fmt.Sprintf("; no more were wanted for %s", minutes(p.cfg.Keep))
	case raw > n && n == partitions:
		text += fmt.Sprintf("; %d would be better, but the topic has %d partitions", raw, partitions)
	case raw > n && n >= p.cfg.Max && p.cfg.Max > 0:
		text += fmt.Sprintf("; %d would be better, but %d are allowed", raw, p.cfg.Max)
	}
	return text
}

func sayHot(id int32, rate, capacity float64) string {
	return fmt.Sprintf("hot partition %d: %s > capacity %s; add partitions or split the key", id, perSecond(rate), perSecond(capacity))
}

func sayDownstream(n int, d demand) string {
	return fmt.Sprintf("downstream is slow: workers wait for storage or catalog %s of their time; more workers would not help, %s", percent(d.blocked), stay(n))
}

func sayBack(from, to int, t *trial, d demand) string {
	return fmt.Sprintf("%d back to %s: the step raised throughput from %s to %s only, and workers wait for storage or catalog %s of their time",
		from, many(to, "worker"), perSecond(t.rate), perSecond(d.rate), percent(d.blocked))
}

func stay(n int) string {
	if n == 1 {
		return "1 stays"
	}
	return fmt.Sprintf("%d stay", n)
}

func many(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func perSecond(x float64) string {
	switch {
	case x >= 999_500:
		return fmt.Sprintf("%.3gM rec/s", x/1e6)
	case x >= 999.5:
		return fmt.Sprintf("%.3gk rec/s", x/1e3)
	}
	return fmt.Sprintf("%.0f rec/s", x)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.0f s", math.Floor(d.Seconds())) }

func minutes(d time.Duration) string {
	if d < 2*time.Minute {
		return seconds(d)
	}
	return fmt.Sprintf("%.0f min", d.Minutes())
}

func percent(x float64) string { return fmt.Sprintf("%.0f %%", 100*x) }

func ordinal(n int) string {
	switch n {
	case 2:
		return "second"
	case 3:
		return "third"
	}
	return fmt.Sprintf("%dth", n)
}
