package registry

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/sr"

	"weir/internal/avro"
)

// A schema whose types stand in other subjects is whole when it is asked for, also after a restart of the registry, whose subjects come
// back in an order in which the types come last.
func TestSchemaReferences(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state.json")
	e, err := ServeEmbedded(t.Context(), "127.0.0.1:0", state)
	if err != nil {
		t.Fatal(err)
	}
	cl, err := sr.NewClient(sr.URLs(e.URL()))
	if err != nil {
		t.Fatal(err)
	}
	register := func(subject, text string, refs ...sr.SchemaReference) (int, error) {
		got, err := cl.CreateSchema(t.Context(), subject, sr.Schema{Schema: text, References: refs})
		return got.ID, err
	}
	const order = `{"type":"record","name":"Order","fields":[{"name":"to","type":"x.Address"},{"name":"from","type":["null","x.Country"]}]}`
	if _, err := register("orders-value", order); err == nil || !strings.Contains(err.Error(), "unknown type: x.Address") {
		t.Errorf("without references: %v", err)
	}
	country := sr.SchemaReference{Name: "x.Country", Subject: "z-country", Version: 1}
	address := sr.SchemaReference{Name: "x.Address", Subject: "y-address", Version: 1}
	if _, err := register("orders-value", order, address, country); err == nil || !strings.Contains(err.Error(), "version 1 of subject y-address") {
		t.Errorf("with references to nothing: %v", err)
	}
	if _, err = register("z-country", `{"type":"enum","name":"x.Country","symbols":["DE","FR"]}`); err != nil {
		t.Fatal(err)
	}
	if _, err = register("y-address", `{"type":"record","name":"x.Address","fields":[{"name":"country","type":"x.Country"}]}`, country); err != nil {
		t.Fatal(err)
	}
	id, err := register("orders-value", order, address, country)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := register("orders-value", strings.Replace(order, `"name":"from"`, `"default":null,"name":"since"`, 1), address, country); err != nil {
		t.Errorf("a second version: %v", err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if e, err = ServeEmbedded(t.Context(), "127.0.0.1:0", state); err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	c, err := New(Config{URL: e.URL()})
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Schema(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	a, err := avro.ArrowSchema(s)
	if err != nil || a.Field(0).Type.String() != "struct<country: utf8 nullable>" || a.Field(1).Type.String() != "utf8" {
		t.Errorf("got %v, %v", a, err)
	}
	if _, _, err := c.Subject(t.Context(), "orders-value", "latest"); err == nil || !strings.Contains(err.Error(), "refers to other subjects") {
		t.Errorf("as one text: %v", err)
	}
}
