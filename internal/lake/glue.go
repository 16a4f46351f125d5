package lake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog/glue"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"weir/internal/cli"
)

// Glue is the address of a Glue catalog: glue://REGION/ACCOUNT?endpoint=URL, each part of which may be left out.
type Glue struct {
	Region   string // empty: as the AWS tools find it
	ID       string // of the Data Catalog, an account's number; empty: the caller's account
	Endpoint string // another server than AWS, or an address inside a VPC
}

// ParseGlue reads an address.
func ParseGlue(address string) (Glue, error) {
	u, err := url.Parse(address)
	bad := fmt.Errorf("expected glue://REGION or glue://REGION/ACCOUNT, such as glue://eu-central-1/111122223333, got %q", address)
	if err != nil || u.Scheme != "glue" || u.User != nil || u.Port() != "" {
		return Glue{}, bad
	}
	g := Glue{Region: u.Host, ID: strings.Trim(u.Path, "/"), Endpoint: u.Query().Get("endpoint")}
	for key := range u.Query() {
		if key != "endpoint" {
			return Glue{}, bad
		}
	}
	if e, err := url.Parse(g.Endpoint); g.Endpoint != "" && (err != nil || e.Host == "") || strings.Contains(g.ID, "/") {
		return Glue{}, bad
	}
	return g, nil
}

const gluePatience = 30 * time.Second // for one call

// once are the calls that change something. The SDK would send them again after an answer that got lost: of a commit that had landed
// the second try reports a conflict. They are sent once, and Commit finds out.
var once = map[string]bool{"UpdateTable": true, "CreateTable": true, "DeleteTable": true, "CreateDatabase": true}

func openGlue(ctx context.Context, c Config, props iceberg.Properties) (catalogIO, io.Closer, error) {
	g, err := ParseGlue(c.Catalog)
	if err != nil {
		return nil, nil, fmt.Errorf("catalog: %w", err)
	}
	opt := []func(*awsconfig.LoadOptions) error{
		awsconfig.WithHTTPClient(awshttp.NewBuildableClient().WithTimeout(gluePatience)),
		awsconfig.WithAPIOptions([]func(*middleware.Stack) error{func(s *middleware.Stack) error {
			if !once[s.ID()] {
				return nil
			}
			_, err := s.Finalize.Swap("Retry", retry.NewAttemptMiddleware(aws.NopRetryer{}, smithyhttp.RequestCloner))
			return err
		}}),
	}
	if g.Region == "" {
		g.Region = props[iceio.S3Region]
	}
	if g.Region == "" && g.Endpoint != "" {
		g.Region = "us-east-1" // servers other than AWS do not care, but the signature needs one
	}
	if g.Region != "" {
		opt = append(opt, awsconfig.WithRegion(g.Region))
	}
	if g.Endpoint != "" {
		opt = append(opt, awsconfig.WithBaseEndpoint(g.Endpoint))
	}
	if id := props[iceio.S3AccessKeyID]; id != "" {
		opt = append(opt, awsconfig.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(id, props[iceio.S3SecretAccessKey], "")))
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx, opt...)
	if err != nil {
		return nil, nil, fmt.Errorf("catalog: %w", err)
	}
	own := glue.AwsProperties(props)
	if g.ID != "" {
		own[glue.CatalogIdKey] = g.ID
	}
	cat, err := glue.NewCatalog(glue.WithAwsConfig(cfg), glue.WithAwsProperties(own))
	if err != nil {
		return nil, nil, fmt.Errorf("catalog: %w", err)
	}
	if _, err := cat.CheckNamespaceExists(ctx, []string{"default"}); err != nil { // whether it is there does not matter
		return nil, nil, errors.Join(glueWords(g, err), cat.Close())
	}
	return listed{cat}, cat, nil
}

// glueWords says in one line what keeps Glue from answering, and what to do; the SDK tells all of its layers instead.
func glueWords(g Glue, err error) error {
	where := "catalog glue"
	for _, part := range []string{g.Region, g.ID, g.Endpoint} {
		if part != "" {
			where += " " + part
		}
	}
	say := func(text, hint string) error { return &cli.Error{Err: said{where + ": " + text, err}, Hint: hint} }
	var api smithy.APIError
	var dial *net.OpError
	var name *net.DNSError
	text := err.Error()
	switch {
	case errors.As(err, &api):
		hint := "may this role or user call Glue (glue:GetDatabase*, GetTable*, CreateDatabase, CreateTable, UpdateTable), and is the account in lake.uri right?"
		if c := api.ErrorCode(); c == "UnrecognizedClientException" || c == "InvalidSignatureException" || c == "ExpiredTokenException" {
			hint = "mend the AWS credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, the role of the machine, or lake.s3.access_key and secret_key in weir.yaml"
		}
		return say(strings.TrimSuffix(api.ErrorCode()+": "+api.ErrorMessage(), ": "), hint)
	case strings.Contains(text, "get credentials"):
		return say("there are no AWS credentials", "give what the AWS tools use (AWS_ACCESS_KEY_ID, AWS_PROFILE, the role of the machine), or lake.s3.access_key and secret_key in weir.yaml")
	case strings.Contains(text, "Invalid region"), strings.Contains(strings.ToLower(text), "missing region"), strings.Contains(text, "resolve endpoint"):
		return say("it is not known in which region it lies", "write lake: {uri: glue://REGION} into weir.yaml, or set AWS_REGION")
	case errors.As(err, &name):
		return say("there is no host "+name.Name, "is the region in lake.uri right?")
	case errors.As(err, &dial):
		return say(dial.Err.Error(), "is the region or the endpoint in lake.uri right, and may this machine reach it?")
	}
	return say(oneLine(err), "is the region in lake.uri right?")
}
