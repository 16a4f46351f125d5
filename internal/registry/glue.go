package registry

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/glue"
	"github.com/aws/aws-sdk-go-v2/service/glue/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"

	"weir/internal/avro"
)

// GlueConfig is the `registry.glue` block of weir.yaml. Credentials come from where all AWS programs find them.
type GlueConfig struct {
	Region   string `yaml:"region,omitempty" jsonschema:"description=AWS region (default: that of the environment)"`
	Registry string `yaml:"registry,omitempty" jsonschema:"description=name of the registry (default: default-registry)"`
	Endpoint string `yaml:"endpoint,omitempty" jsonschema:"description=address of the Glue API where it is not AWS's own"`
}

// Glue asks the AWS Glue Schema Registry. It is safe for concurrent use.
type Glue struct {
	cfg  GlueConfig
	mu   sync.Mutex
	cl   *glue.Client // made at the first call: a missing profile must not keep other jobs from starting
	byID map[[16]byte]*avro.Schema
}

// NewGlue makes a client; it does not talk to AWS yet.
func NewGlue(c GlueConfig) *Glue {
	if c.Registry == "" {
		c.Registry = "default-registry"
	}
	return &Glue{cfg: c, byID: map[[16]byte]*avro.Schema{}}
}

func (g *Glue) client(ctx context.Context) (*glue.Client, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cl != nil {
		return g.cl, nil
	}
	load := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{})} // what matters comes as an error
	if g.cfg.Region != "" {
		load = append(load, config.WithRegion(g.cfg.Region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, fmt.Errorf("registry.glue: %w", err)
	}
	g.cl = glue.NewFromConfig(cfg, func(o *glue.Options) {
		if g.cfg.Endpoint != "" {
			o.BaseEndpoint = &g.cfg.Endpoint
		}
	})
	return g.cl, nil
}

// UUID writes a schema version's id as AWS does.
func UUID(id [16]byte) string {
	s := hex.EncodeToString(id[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// Version gets a schema by the id of its version.
func (g *Glue) Version(ctx context.Context, id [16]byte) (*avro.Schema, error) {
	g.mu.Lock()
	s := g.byID[id]
	g.mu.Unlock()
	if s != nil {
		return s, nil
	}
	uuid := UUID(id)
	s, err := g.get(ctx, "schema version "+uuid, ErrUnknownID, &glue.GetSchemaVersionInput{SchemaVersionId: &uuid})
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	g.byID[id] = s
	g.mu.Unlock()
	return s, nil
}

// Newest gets the newest version of a schema by its name.
func (g *Glue) Newest(ctx context.Context, name string) (*avro.Schema, error) {
	return g.get(ctx, fmt.Sprintf("schema %s of registry %s", name, g.cfg.Registry), ErrNoSubject, &glue.GetSchemaVersionInput{
		SchemaId:            &types.SchemaId{RegistryName: &g.cfg.Registry, SchemaName: &name},
		SchemaVersionNumber: &types.SchemaVersionNumber{LatestVersion: true},
	})
}

func (g *Glue) get(ctx context.Context, what string, missing error, in *glue.GetSchemaVersionInput) (*avro.Schema, error) {
	cl, err := g.client(ctx)
	if err != nil {
		return nil, err
	}
	once, cancel := context.WithTimeout(ctx, 3*patience) // the SDK tries three times
	defer cancel()
	out, err := cl.GetSchemaVersion(once, in)
	if err != nil {
		return nil, explainGlue(ctx, what, err, missing)
	}
	if out.DataFormat != types.DataFormatAvro || out.SchemaDefinition == nil {
		return nil, unreadable{fmt.Errorf("%s is %s: only Avro is supported in this version", what, out.DataFormat)}
	}
	s, err := avro.Parse(*out.SchemaDefinition)
	if err != nil {
		return nil, unreadable{fmt.Errorf("%s: %w", what, err)}
	}
	return s, nil
}

// explainGlue tells an answer from silence, as explain does.
func explainGlue(ctx context.Context, what string, err, missing error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var e smithy.APIError
	if !errors.As(err, &e) {
		return fmt.Errorf("%s: %w (Glue): %w", what, ErrUnavailable, err)
	}
	switch code := e.ErrorCode(); {
	case code == "EntityNotFoundException":
		return fmt.Errorf("%s: %w", what, missing)
	case strings.Contains(code, "AccessDenied") || strings.Contains(code, "Unrecognized") || strings.Contains(code, "Token"):
		return fmt.Errorf("%s: %w (Glue): it refused the login: %s; the role needs glue:GetSchemaVersion", what, ErrUnavailable, code)
	case e.ErrorFault() == smithy.FaultServer || strings.Contains(code, "Throttl") || strings.Contains(code, "Internal"):
		return fmt.Errorf("%s: %w (Glue): %s", what, ErrUnavailable, code)
	}
	return fmt.Errorf("%s: Glue answers %s: %s", what, e.ErrorCode(), firstLine(e.ErrorMessage()))
}
