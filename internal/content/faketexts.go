package content

func fullName(b []byte, d *draw) []byte {
	return word(append(word(b, d, firstNames), ' '), d, lastNames)
}

func lower(b []byte, from int) []byte {
	for i := from; i < len(b); i++ {
		if b[i] >= 'A' && b[i] <= 'Z' {
			b[i] += 'a' - 'A'
		}
	}
	return b
}

func userName(b []byte, d *draw) []byte {
	at := len(b)
	return digits(lower(word(append(word(b, d, asciiNames), '.'), d, words), at), d, 2)
}

func email(b []byte, d *draw) []byte { return domain(append(userName(b, d), '@'), d) }

func domain(b []byte, d *draw) []byte {
	return word(append(word(append(word(b, d, words), '-'), d, words), '.'), d, topDomains)
}

func url(b []byte, d *draw) []byte { return urlPath(domain(append(b, "https://"...), d), d) }

func urlPath(b []byte, d *draw) []byte {
	for range 1 + d.below(3) {
		b = word(append(b, '/'), d, words)
	}
	return b
}

func sentence(b []byte, d *draw) []byte {
	at := len(b)
	for i := range 3 + d.below(7) {
		if i > 0 {
			b = append(b, ' ')
		}
		b = word(b, d, words)
	}
	if b[at] >= 'a' && b[at] <= 'z' {
		b[at] -= 'a' - 'A'
	}
	return append(b, '.')
}

func digits(b []byte, d *draw, n int) []byte {
	v := d.next()
	for range n {
		b = append(b, '0'+byte(v%10))
		v /= 10
	}
	return b
}

func capitals(b []byte, d *draw, n int) []byte {
	v := d.next()
	for range n {
		b = append(b, 'A'+byte(v%26))
		v /= 26
	}
	return b
}

func hexes(b []byte, d *draw, words int) []byte {
	for range words {
		b = appendHex(b, d.next(), 16)
	}
	return b
}

func ipv4(b []byte, d *draw) []byte {
	v := d.next()
	for i := range 4 {
		if i > 0 {
			b = append(b, '.')
		}
		b = appendSmall(b, 1+v%254)
		v >>= 8
	}
	return b
}

// appendSmall writes a number below 1000.
func appendSmall(b []byte, v uint64) []byte {
	if v >= 100 {
		b = append(b, '0'+byte(v/100))
	}
	if v >= 10 {
		b = append(b, '0'+byte(v/10%10))
	}
	return append(b, '0'+byte(v%10))
}

func ipv6(b []byte, d *draw) []byte {
	b = append(b, "2001"...)
	first, second := d.next(), d.next()
	for i := range 7 {
		v := first
		if i > 2 {
			v = second
		}
		b = appendHex(append(b, ':'), v>>(16*(i&3)), 4)
	}
	return b
}

func mac(b []byte, d *draw) []byte {
	v := d.next() &^ 3 // no multicast
	for i := range 6 {
		if i > 0 {
			b = append(b, ':')
		}
		b = appendHex(b, v>>(8*i), 2)
	}
	return b
}

// creditCard has a right check digit (Luhn).
func creditCard(b []byte, d *draw) []byte {
	at := len(b)
	b = digits(append(b, '4'), d, 14)
	sum := 0
	for i, c := range b[at:] {
		v := int(c - '0')
		if i%2 == 0 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return append(b, '0'+byte((10-sum%10)%10))
}

func date(b []byte, d *draw) []byte {
	v := d.next()
	b = appendDigits(b, 1950+v%75, 4)
	b = appendDigits(append(b, '-'), 1+v>>8%12, 2)
	return appendDigits(append(b, '-'), 1+v>>16%28, 2)
}

var (
	firstNames   = []string{"Anna", "Ben", "Clara", "David", "Elif", "Finn", "Grace", "Hannes", "Ines", "Jonas", "Karin", "Léa", "Marek", "Noah", "Olga", "Pablo", "Quentin", "Rosa", "Søren", "Tereza", "Uwe", "Vera", "Wanda", "Xenia", "Yusuf", "Zoë", "Amir", "Björk", "Chiara", "Dmitri", "Emma", "Farid"}
	asciiNames   = []string{"anna", "ben", "clara", "david", "elif", "finn", "grace", "hannes", "ines", "jonas", "karin", "lea", "marek", "noah", "olga", "pablo", "rosa", "tereza", "uwe", "vera", "wanda", "xenia", "yusuf", "zoe"}
	lastNames    = []string{"Andersen", "Bauer", "Costa", "Dubois", "Eriksson", "Fischer", "García", "Huber", "Ivanov", "Jansen", "Kowalski", "Lehmann", "Müller", "Novák", "O'Brien", "Petrov", "Quinn", "Rossi", "Schmidt", "Tanaka", "Ünal", "Virtanen", "Weber", "Xu", "Yılmaz", "Zimmermann", "Smith", "Johnson", "Nguyen", "Silva"}
	countries    = []string{"Austria", "Belgium", "Canada", "Denmark", "Estonia", "Finland", "France", "Germany", "Hungary", "Ireland", "Italy", "Japan", "Netherlands", "Norway", "Poland", "Portugal", "Spain", "Sweden", "Switzerland", "United Kingdom", "United States"}
	countryCodes = []string{"AT", "BE", "CA", "DK", "EE", "FI", "FR", "DE", "HU", "IE", "IT", "JP", "NL", "NO", "PL", "PT", "ES", "SE", "CH", "GB", "US"}
	currencies   = []string{"EUR", "USD", "GBP", "CHF", "SEK", "PLN", "JPY", "DKK", "NOK", "CZK", "CAD", "AUD"}
	languages    = []string{"de", "en", "es", "fr", "it", "ja", "nl", "pl", "pt", "sv"}
	companyForms = []string{"GmbH", "AG", "Ltd", "Inc", "SA", "BV", "& Sons", "Holding", "Group", "Labs"}
	jobs         = []string{"accountant", "baker", "carpenter", "designer", "electrician", "farmer", "gardener", "nurse", "pilot", "plumber", "teacher", "translator", "welder"}
	adjectives   = []string{"Compact", "Durable", "Elegant", "Foldable", "Gentle", "Handy", "Light", "Quiet", "Robust", "Smart", "Soft", "Wireless"}
	things       = []string{"Backpack", "Bottle", "Chair", "Desk", "Headphones", "Jacket", "Keyboard", "Lamp", "Mug", "Notebook", "Shoes", "Speaker", "Tent", "Watch"}
	colors       = []string{"black", "blue", "brown", "green", "grey", "orange", "pink", "purple", "red", "white", "yellow"}
	categories   = []string{"books", "clothing", "electronics", "food", "garden", "health", "home", "music", "sports", "toys", "travel"}
	statuses     = []string{"new", "pending", "active", "shipped", "done", "failed", "cancelled"}
	streets      = []string{"Hauptstraße", "Bahnhofstraße", "Main Street", "High Street", "Rue de la Paix", "Gartenweg", "Park Avenue", "Via Roma", "Calle Mayor", "Church Lane", "Lindenallee"}
	topDomains   = []string{"example", "test", "invalid"}
	words        = []string{"amber", "anchor", "apple", "arrow", "basin", "beacon", "birch", "bridge", "candle", "canyon", "cedar", "cloud", "copper", "coral", "delta", "ember", "falcon", "field", "flint", "forest", "garnet", "glacier", "harbor", "hazel", "island", "ivory", "jasper", "lagoon", "lantern", "maple", "meadow", "mesa", "mint", "north", "ocean", "olive", "opal", "orbit", "pebble", "pine", "quartz", "raven", "reef", "ridge", "river", "saffron", "sage", "silver", "slate", "spruce", "stone", "summit", "tidal", "timber", "tundra", "valley", "violet", "willow", "winter", "zephyr"}
	userAgents   = []string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 15_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
		"curl/8.14.1", "okhttp/5.1.0", "Go-http-client/2.0",
	}
)
