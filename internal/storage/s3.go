package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"

	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/io/gocloud/blobfs"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"gocloud.dev/blob/s3blob"
)

// s3Schemes name the same: Hadoop's clients used to write s3a and s3n.
var s3Schemes = []string{"s3", "s3a", "s3n"}

// s3Tries outlasts a while of 503 SlowDown, with the client's own back-off.
const s3Tries = 8

func openS3(ctx context.Context, u *url.URL, props map[string]string) (iceio.IO, error) {
	opt := []func(*awsconfig.LoadOptions) error{
		awsconfig.WithRetryer(func() aws.Retryer { return retry.AddWithMaxAttempts(retry.NewStandard(), s3Tries) }),
	}
	endpoint, region := props[iceio.S3EndpointURL], props[iceio.S3Region]
	if region == "" && endpoint != "" {
		region = "us-east-1" // servers other than AWS do not care, but the signature needs one
	}
	if region != "" {
		opt = append(opt, awsconfig.WithRegion(region))
	}
	if id := props[iceio.S3AccessKeyID]; id != "" {
		opt = append(opt, awsconfig.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(id, props[iceio.S3SecretAccessKey], "")))
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx, opt...)
	if err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.DisableLogOutputChecksumValidationSkipped = true
		if endpoint != "" {
			o.BaseEndpoint, o.UsePathStyle = aws.String(endpoint), true
		}
	})
	bucket, err := s3blob.OpenBucketV2(ctx, client, u.Host, &s3blob.Options{EncryptionType: types.ServerSideEncryption(props[sseKey]), KMSEncryptionID: props[kmsKey]})
	if err != nil {
		return nil, fmt.Errorf("s3 bucket %s: %w", u.Host, err)
	}
	return object{blobfs.New(ctx, bucket, blobfs.DefaultObjectLocationExtractor(u.Host, s3Schemes...))}, nil
}

// object names the file in errors that lack it.
type object struct{ *blobfs.FileIO }

func (o object) Open(name string) (iceio.File, error) {
	f, err := o.FileIO.Open(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("open %s: %w", name, plain(err))
	}
	return f, err
}

func (o object) ReadFile(name string) ([]byte, error) {
	b, err := o.FileIO.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("read %s: %w", name, plain(err))
	}
	return b, err
}

func (o object) Create(name string) (iceio.FileWriter, error) {
	w, err := o.FileIO.Create(name)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", name, plain(err))
	}
	return objectWriter{w, name}, nil
}

func (o object) WriteFile(name string, p []byte) error {
	if err := o.FileIO.WriteFile(name, p); err != nil {
		return fmt.Errorf("write %s: %w", name, plain(err))
	}
	return nil
}

type objectWriter struct {
	iceio.FileWriter
	name string
}

func (w objectWriter) ReadFrom(r io.Reader) (int64, error) {
	n, err := w.FileWriter.ReadFrom(r)
	if err != nil {
		err = fmt.Errorf("write %s: %w", w.name, plain(err))
	}
	return n, err
}

func (w objectWriter) Close() error {
	if err := w.FileWriter.Close(); err != nil {
		return fmt.Errorf("write %s: %w", w.name, plain(err))
	}
	return nil
}
