package content

import _ "embed"

// BankTransaction is the name of the built-in schema.
const BankTransaction = "bank-transaction"

//go:embed schemas/bank-transaction.avsc
var bankSchema string

// bankKeys is the number of accounts unless the profile says otherwise.
const bankKeys = 100_000

// bankFields make the built-in content look like a bank's; what is not named here is drawn by its type.
var bankFields = map[string]step{
	"account_id":        ibans,
	"counterparty":      ibans,
	"booked_at":         plain(8, 8, bookedAt),
	"value_date":        plain(3, 3, valueDate),
	"amount":            plain(2, 5, amount),
	"fee":               optional(plain(2, 3, fee), 0, 0.7),
	"merchant.id":       longs(100_000, 900_000),
	"merchant.name":     oneOf(merchants),
	"merchant.city":     oneOf(cities),
	"merchant.category": longs(1_500, 8_000),
	"card":              optional(plain(5, 5, card), 0, 0.3),
	"tags":              arrays(oneOf(tags), Lengths{0, 3}),
	"risk":              plain(8, 8, risk),
}

var ibans = plain(23, 23, func(b []byte, d *draw) []byte {
	b = append(b, 44, 'D', 'E') // length 22
	b = appendDigits(b, d.below(10_000_000_000), 10)
	return appendDigits(b, d.below(10_000_000_000), 10)
})

func bookedAt(b []byte, d *draw) []byte {
	d.at = weekMicros + int64(d.below(weekDays*daySeconds*1e6))
	return appendLong(b, d.at)
}

// valueDate is the day of the booking or one of the next two.
func valueDate(b []byte, d *draw) []byte {
	return appendLong(b, d.at/(daySeconds*1e6)+int64(d.below(3)))
}

// amount is mostly small: the magnitude is drawn first, 1 cent to 100,000.00; every fifth is a refund.
func amount(b []byte, d *draw) []byte {
	word := d.next()
	limit := uint64(1_000)
	for range word & 3 {
		limit *= 22
	}
	v := 1 + int64(d.below(min(limit, 10_000_000)))
	if word>>8%5 == 0 {
		v = -v
	}
	return appendUnscaled(b, v)
}

func fee(b []byte, d *draw) []byte { return appendUnscaled(b, int64(d.below(1_500))) }

func card(b []byte, d *draw) []byte { return appendDigits(append(b, 8), d.below(10_000), 4) }

func risk(b []byte, d *draw) []byte { return appendDouble(b, float64(d.below(10_000))/10_000) }

var (
	merchants = []string{
		"Bäckerei Huber", "Café Central", "Grand Hotel", "Books & More", "City Fuel", "Corner Pharmacy", "Daily Market",
		"Delta Airways", "Elektro Nord", "Fresh & Green", "Garden World", "Kino Palast", "Metro Transit", "Mode Paris",
		"North Coffee", "Optik Klar", "Pizza Roma", "Sport Point", "Super U", "Techstore", "Toys & Co", "Water Works",
	}
	cities = []string{
		"Amsterdam", "Barcelona", "Berlin", "Bern", "Gdańsk", "Graz", "Hamburg", "Köln", "Lille", "London", "Lyon", "Madrid",
		"Malmö", "Milano", "München", "Napoli", "Oslo", "Paris", "Roma", "Stockholm", "Tokyo", "Utrecht", "Wien", "Zürich",
	}
	tags = []string{"food", "travel", "fuel", "rent", "salary", "refund", "health", "fun", "online", "cash", "abroad", "family"}
)
