package storage

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/aws/smithy-go"
)

// plain says in one line what is wrong with S3 and what to do; the SDK tells all of its layers instead.
func plain(err error) error {
	var api smithy.APIError
	var dial *net.OpError
	var name *net.DNSError
	text := err.Error()
	switch {
	case errors.As(err, &api):
		switch api.ErrorCode() {
		case "NoSuchBucket":
			return words{"there is no such bucket", err}
		case "InvalidAccessKeyId", "SignatureDoesNotMatch":
			return words{fmt.Sprintf("S3 refuses the access key or its secret (%s): mend lake.s3.access_key and secret_key in weir.yaml, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", api.ErrorCode()), err}
		}
		return words{strings.TrimSuffix(fmt.Sprintf("S3 says %s: %s", api.ErrorCode(), api.ErrorMessage()), ": "), err}
	case strings.Contains(text, "get credentials"):
		return words{"there are no credentials for S3: set lake.s3.access_key and secret_key in weir.yaml, or give what the AWS tools use (AWS_ACCESS_KEY_ID, AWS_PROFILE, the role of the machine)", err}
	case strings.Contains(text, "Invalid region"), strings.Contains(strings.ToLower(text), "missing region"):
		return words{"it is not known in which region the bucket lies: set lake.s3.region in weir.yaml, or AWS_REGION", err}
	case errors.As(err, &name):
		return words{fmt.Sprintf("there is no host %s: is lake.s3.endpoint or lake.s3.region in weir.yaml right?", name.Name), err}
	case errors.As(err, &dial) && dial.Addr != nil:
		return words{fmt.Sprintf("no S3 server answers on %s: %v; is lake.s3.endpoint in weir.yaml right?", dial.Addr, dial.Err), err}
	}
	return err
}

// words are an error's own, in place of a library's.
type words struct {
	text string
	error
}

func (w words) Error() string { return w.text }
func (w words) Unwrap() error { return w.error }
