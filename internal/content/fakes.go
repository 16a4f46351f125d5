package content

import (
	"strings"

	"github.com/hamba/avro/v2"
)

// fakes are texts that look real, by name. They are drawn from short lists: a load test wants plausible lengths and cardinalities.
var fakes = map[string]step{
	"uuid":         uuids,
	"iban":         ibans,
	"first_name":   oneOf(firstNames),
	"last_name":    oneOf(lastNames),
	"city":         oneOf(cities),
	"country":      oneOf(countries),
	"country_code": oneOf(countryCodes),
	"currency":     oneOf(currencies),
	"language":     oneOf(languages),
	"company":      fake(6, 40, func(b []byte, d *draw) []byte { return word(append(word(b, d, lastNames), ' '), d, companyForms) }),
	"job":          oneOf(jobs),
	"product":      fake(6, 40, func(b []byte, d *draw) []byte { return word(append(word(b, d, adjectives), ' '), d, things) }),
	"color":        oneOf(colors),
	"category":     oneOf(categories),
	"status":       oneOf(statuses),
	"word":         oneOf(words),
	"name":         fake(5, 40, fullName),
	"user_name":    fake(5, 40, userName),
	"email":        fake(12, 60, email),
	"domain":       fake(6, 40, domain),
	"url":          fake(20, 80, url),
	"path":         fake(4, 60, urlPath),
	"user_agent":   oneOf(userAgents),
	"phone":        fake(14, 15, func(b []byte, d *draw) []byte { return digits(append(digits(append(b, '+'), d, 2), ' '), d, 10) }),
	"street":       fake(5, 40, func(b []byte, d *draw) []byte { return digits(append(word(b, d, streets), ' '), d, 2) }),
	"zip":          fake(5, 5, func(b []byte, d *draw) []byte { return digits(b, d, 5) }),
	"ipv4":         fake(7, 15, ipv4),
	"ipv6":         fake(39, 39, ipv6),
	"mac":          fake(17, 17, mac),
	"bic":          fake(8, 8, func(b []byte, d *draw) []byte { return capitals(append(capitals(b, d, 4), "DE"...), d, 2) }),
	"credit_card":  fake(16, 16, creditCard),
	"isin":         fake(12, 12, func(b []byte, d *draw) []byte { return digits(append(b, "DE"...), d, 10) }),
	"license_plate": fake(6, 12, func(b []byte, d *draw) []byte {
		return digits(append(capitals(append(capitals(b, d, 2), '-'), d, 2), ' '), d, 4)
	}),
	"sku":      fake(9, 9, func(b []byte, d *draw) []byte { return digits(append(capitals(b, d, 3), '-'), d, 5) }),
	"host":     fake(8, 30, func(b []byte, d *draw) []byte { return digits(append(word(b, d, words), '-'), d, 3) }),
	"sha256":   fake(64, 64, func(b []byte, d *draw) []byte { return hexes(b, d, 4) }),
	"date":     fake(10, 10, date),
	"sentence": fake(10, 120, sentence),
}

// guesses are fakes by the end of a field's name, where that differs from the fake's own.
var guesses = map[string]string{
	"firstname": "first_name", "givenname": "first_name", "lastname": "last_name", "surname": "last_name", "familyname": "last_name",
	"fullname": "name", "customername": "name", "username": "user_name", "login": "user_name", "mail": "email", "emailaddress": "email",
	"phonenumber": "phone", "mobile": "phone", "telephone": "phone", "street": "street", "address": "street", "addressline1": "street",
	"zipcode": "zip", "postalcode": "zip", "postcode": "zip", "town": "city", "countrycode": "country_code", "currencycode": "currency",
	"ip": "ipv4", "ipaddress": "ipv4", "clientip": "ipv4", "remoteip": "ipv4", "useragent": "user_agent", "hostname": "host",
	"link": "url", "uri": "url", "referrer": "url", "referer": "url", "website": "url", "organization": "company", "employer": "company",
	"jobtitle": "job", "productname": "product", "colour": "color", "description": "sentence", "comment": "sentence", "message": "sentence",
	"cardnumber": "credit_card", "pan": "credit_card", "licenseplate": "license_plate", "locale": "language",
}

var fakeOf = func() map[string]string {
	all := map[string]string{}
	for name := range fakes {
		all[strings.ReplaceAll(name, "_", "")] = name
	}
	for from, to := range guesses {
		all[from] = to
	}
	return all
}()

// guess finds a fake for a text by the name of its field: the longest end of it that is known.
func guess(path string, s avro.Schema) (step, bool) {
	if s.Type() != avro.String || logicalOf(s) != "" {
		return step{}, false
	}
	parts := nameParts(lastName(path))
	for i := range parts {
		if name, ok := fakeOf[strings.Join(parts[i:], "")]; ok {
			return fakes[name], true
		}
	}
	return step{}, false
}

// nameParts splits billing_emailAddress into billing, email, address.
func nameParts(name string) (parts []string) {
	start := 0
	cut := func(end int) {
		if end > start {
			parts = append(parts, strings.ToLower(name[start:end]))
		}
	}
	for i := range len(name) {
		switch {
		case name[i] == '_':
			cut(i)
			start = i + 1
		case i > 0 && name[i] >= 'A' && name[i] <= 'Z' && name[i-1] >= 'a' && name[i-1] <= 'z':
			cut(i)
			start = i
		}
	}
	cut(len(name))
	return parts
}

// fake makes a string of what write appends, at most 127 bytes; least and most are without the length.
func fake(least, most int, write op) step {
	return plain(least+1, most+2, func(b []byte, d *draw) []byte {
		at := len(b)
		b = write(append(b, 0), d)
		return closeText(b, at)
	})
}

// closeText puts the length before the text that begins behind at.
func closeText(b []byte, at int) []byte {
	n := len(b) - at - 1
	if n < 64 {
		b[at] = byte(2 * n)
		return b
	}
	width := longWidth(int64(n))
	b = grow(b, width-1)
	copy(b[at+width:], b[at+1:at+1+n])
	appendLong(b[:at], int64(n))
	return b
}

func word(b []byte, d *draw, list []string) []byte {
	return append(b, list[d.below(uint64(len(list)))]...)
}
