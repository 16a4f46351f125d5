package etl

import (
	"cmp"

	"weir/internal/config"
)

// A Delivery is all files of one business date, for another engine to load.
type Delivery struct {
	Day    string // 2026-11-20, or empty
	Digest string // of their content: what the cursor keeps
	Files  []File
}

// A File of a delivery.
type File struct {
	Path, Name, SHA256 string
	Size               int64
}

// Deliveries are those that the run is for, whether they are loaded or not: the cursor tells.
func (j *Job) Deliveries() ([]Delivery, error) {
	found, err := j.found()
	if err != nil {
		return nil, err
	}
	out := make([]Delivery, len(found))
	for i, d := range found {
		out[i] = Delivery{Day: d.Day, Digest: d.digest()}
		for _, f := range d.Files {
			out[i].Files = append(out[i].Files, File{Path: f.Path, Name: f.Name, SHA256: f.SHA256, Size: f.Size})
		}
	}
	return out, nil
}

// Resolved is the format with nothing left to a default. Quote is empty where there is none.
func (f Format) Resolved() Format {
	header := f.header()
	out := Format{
		Delimiter: string(f.delimiter()), Header: &header, Encoding: cmp.Or(f.Encoding, "utf-8"), Comment: f.Comment, Null: f.nulls(),
		MaxField: config.Size(f.maxField()),
	}
	if q := f.quote(); q != 0 {
		out.Quote = string(q)
	}
	return out
}
