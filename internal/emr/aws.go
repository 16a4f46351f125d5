package emr

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go"

	"weir/internal/cli"
)

func settings(ctx context.Context, c Config) (aws.Config, error) {
	var opt []func(*awsconfig.LoadOptions) error
	if c.Region != "" {
		opt = append(opt, awsconfig.WithRegion(c.Region))
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx, opt...)
	if err != nil {
		return cfg, cli.Usage(err, "the settings of the AWS command line are not usable")
	}
	if cfg.Region == "" {
		return cfg, cli.Usage(errors.New("no AWS region is set"), "write emr: {region: eu-central-1} into weir.yaml, or set AWS_REGION")
	}
	if c.Endpoint != "" {
		cfg.BaseEndpoint = aws.String(c.Endpoint)
	}
	return cfg, nil
}

// outcome is what became of a request that starts something.
type outcome int

const (
	taken outcome = iota
	refused
	notTaken // it may be sent again
	unknown
)

// verdict reads an error of a request that was sent once.
func verdict(err error) outcome {
	var dial *net.OpError
	var resp *awshttp.ResponseError
	var api smithy.APIError
	switch {
	case err == nil:
		return taken
	case errors.As(err, &dial) && dial.Op == "dial":
		return notTaken
	case errors.As(err, &api) && throttled(api.ErrorCode()):
		return notTaken
	case errors.As(err, &resp) && resp.HTTPStatusCode() == http.StatusTooManyRequests:
		return notTaken
	case errors.As(err, &resp) && resp.HTTPStatusCode() >= 400 && resp.HTTPStatusCode() < 500:
		return refused
	case errors.As(err, &resp), errors.As(err, &dial), errors.As(err, new(net.Error)):
		return unknown
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return unknown
	}
	if unsent(err) {
		return refused
	}
	return unknown
}

// unsent: the request was never made, for the want of credentials or of a field.
func unsent(err error) bool {
	var p smithy.InvalidParamsError
	return errors.As(err, &p) || strings.Contains(err.Error(), "get identity") || strings.Contains(err.Error(), "resolve endpoint")
}

func throttled(code string) bool {
	return strings.HasPrefix(code, "Throttl") || code == "TooManyRequestsException" || code == "RequestLimitExceeded"
}
