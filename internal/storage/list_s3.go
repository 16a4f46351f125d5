package storage

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// cutBucket splits s3://bucket/ from the key.
func cutBucket(name string) (bucket, key string) {
	scheme, rest, _ := strings.Cut(name, "://")
	host, key, _ := strings.Cut(rest, "/")
	return scheme + "://" + host + "/", key
}

func (o object) List(ctx context.Context, pattern string) ([]Entry, error) {
	bucket, want := cutBucket(pattern)
	prefix := want
	if i := strings.IndexAny(want, wild); i >= 0 {
		prefix = want[:i]
	}
	segs := strings.Split(want, "/")
	var found []Entry
	list := o.Bucket.List(&blob.ListOptions{Prefix: prefix})
	for {
		x, err := list.Next(ctx)
		if errors.Is(err, io.EOF) {
			return sorted(found), nil
		}
		if err != nil {
			return nil, missing("list", pattern, err)
		}
		if strings.HasSuffix(x.Key, "/") || !fits(segs, strings.Split(x.Key, "/")) {
			continue
		}
		e := Entry{Name: bucket + x.Key, Size: x.Size, Time: x.ModTime}
		var raw types.Object
		if x.As(&raw) {
			e.Tag = aws.ToString(raw.ETag)
		}
		found = append(found, e)
	}
}

func (o object) Digest(ctx context.Context, name string) (string, error) {
	_, key := cutBucket(name)
	a, err := o.Attributes(ctx, key)
	if err != nil {
		return "", missing("look at", name, err)
	}
	return a.ETag, nil
}

func (o object) OpenAt(ctx context.Context, name string, off int64) (Reader, error) {
	_, key := cutBucket(name)
	r, err := o.NewRangeReader(ctx, key, off, -1, nil)
	if err != nil {
		return nil, missing("open", name, err)
	}
	e := Entry{Name: name, Size: r.Size(), Time: r.ModTime()}
	var raw s3.GetObjectOutput
	if r.As(&raw) {
		e.Tag = aws.ToString(raw.ETag)
	}
	return objectReader{r, e}, nil
}

// objectReader reads one version of an object, whatever is put there meanwhile.
type objectReader struct {
	*blob.Reader
	e Entry
}

func (r objectReader) Entry() (Entry, error) { return r.e, nil }

func missing(op, name string, err error) error {
	switch gcerrors.Code(err) {
	case gcerrors.NotFound:
		err = fs.ErrNotExist
	case gcerrors.PermissionDenied:
		err = fs.ErrPermission
	default:
		err = plain(err)
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}
