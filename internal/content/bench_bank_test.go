package content

import "strings"

// rawBank is the built-in schema without decimals, dates and times: hamba's quickest way to write it.
var rawBank = strings.NewReplacer(
	`{"type": "string", "logicalType": "uuid"}`, `"string"`, `{"type": "long", "logicalType": "timestamp-micros"}`, `"long"`,
	`{"type": "int", "logicalType": "date"}`, `"int"`,
	`, "logicalType": "decimal", "precision": 18, "scale": 2`, ``, `, "logicalType": "decimal", "precision": 9, "scale": 2`, ``,
).Replace(bankSchema)

type transaction struct {
	ID           string  `avro:"transaction_id"`
	Account      string  `avro:"account_id"`
	Counterparty string  `avro:"counterparty"`
	BookedAt     int64   `avro:"booked_at"`
	ValueDate    int32   `avro:"value_date"`
	Amount       []byte  `avro:"amount"`
	Fee          *[]byte `avro:"fee"`
	Currency     string  `avro:"currency"`
	Country      string  `avro:"country"`
	Channel      string  `avro:"channel"`
	Merchant     struct {
		ID       int64  `avro:"id"`
		Name     string `avro:"name"`
		City     string `avro:"city"`
		Category int32  `avro:"category"`
	} `avro:"merchant"`
	Card        *string  `avro:"card"`
	Tags        []string `avro:"tags"`
	Risk        float64  `avro:"risk"`
	Contactless bool     `avro:"contactless"`
	Reference   string   `avro:"reference"`
}
