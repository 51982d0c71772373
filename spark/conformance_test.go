package spark

import (
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"liushui/dev"
	pb "liushui/spark/proto"
)

// newer are the fields that a release does not have yet.
var newer = map[string][]protoreflect.FullName{
	dev.Spark40: {"spark.connect.WriteStreamOperationStart.real_time_batch_duration"},
	dev.Spark41: {"spark.connect.WriteStreamOperationStart.real_time_batch_duration"},
	dev.Spark42: {},
}

// What we speak is a part of what each released Spark speaks: the same calls,
// and messages whose fields have the same names, numbers and types.
func TestTheProtocolIsSparks(t *testing.T) {
	for release, missing := range newer {
		t.Run(release, func(t *testing.T) {
			c := &conformance{theirs: dev.SparkProtocol(t, release)}
			file := pb.File_spark_proto_connect_proto
			for i := range file.Services().Len() {
				c.service(file.Services().Get(i))
			}
			for i := range file.Messages().Len() {
				c.message(file.Messages().Get(i))
			}
			if file.Enums().Len() > 0 || file.Extensions().Len() > 0 {
				t.Error("there are enums or extensions, which are not compared")
			}
			if c.calls != 6 || c.fields < 100 {
				t.Errorf("only %d calls and %d fields were compared", c.calls, c.fields)
			}
			for _, fault := range c.faults {
				t.Error(fault)
			}
			slices.Sort(c.missing)
			if !slices.Equal(c.missing, missing) {
				t.Errorf("it lacks %v, want %v", c.missing, missing)
			}
		})
	}
}

type conformance struct {
	theirs interface {
		FindDescriptorByName(protoreflect.FullName) (protoreflect.Descriptor, error)
	}
	calls, fields int
	faults        []string
	missing       []protoreflect.FullName
}

func (c *conformance) differ(name protoreflect.FullName, what string, ours, theirs any) {
	if ours != theirs {
		c.faults = append(c.faults, fmt.Sprintf("%s: %s is %v, Spark's is %v", name, what, ours, theirs))
	}
}

func (c *conformance) service(ours protoreflect.ServiceDescriptor) {
	found, err := c.theirs.FindDescriptorByName(ours.FullName())
	theirs, ok := found.(protoreflect.ServiceDescriptor)
	if err != nil || !ok {
		c.faults = append(c.faults, fmt.Sprintf("%s is no service of Spark's: %v", ours.FullName(), err))
		return
	}
	for i := range ours.Methods().Len() {
		m := ours.Methods().Get(i)
		other := theirs.Methods().ByName(m.Name())
		if other == nil {
			c.faults = append(c.faults, fmt.Sprintf("Spark has no call %s", m.FullName()))
			continue
		}
		c.calls++
		c.differ(m.FullName(), "its request", m.Input().FullName(), other.Input().FullName())
		c.differ(m.FullName(), "its response", m.Output().FullName(), other.Output().FullName())
		c.differ(m.FullName(), "streaming of requests", m.IsStreamingClient(), other.IsStreamingClient())
		c.differ(m.FullName(), "streaming of responses", m.IsStreamingServer(), other.IsStreamingServer())
	}
}

func (c *conformance) message(ours protoreflect.MessageDescriptor) {
	found, err := c.theirs.FindDescriptorByName(ours.FullName())
	theirs, ok := found.(protoreflect.MessageDescriptor)
	if err != nil || !ok {
		c.faults = append(c.faults, fmt.Sprintf("%s is no message of Spark's: %v", ours.FullName(), err))
		return
	}
	for i := range ours.Fields().Len() {
		c.field(ours.Fields().Get(i), theirs)
	}
	for i := range ours.Messages().Len() {
		c.message(ours.Messages().Get(i))
	}
}

func (c *conformance) field(ours protoreflect.FieldDescriptor, of protoreflect.MessageDescriptor) {
	name := ours.FullName()
	theirs := of.Fields().ByName(ours.Name())
	if theirs == nil {
		if taken := of.Fields().ByNumber(ours.Number()); taken != nil {
			c.faults = append(c.faults, fmt.Sprintf("%s: Spark calls the field %d %s", name, ours.Number(), taken.Name()))
		}
		c.missing = append(c.missing, name)
		return
	}
	c.fields++
	c.differ(name, "its number", ours.Number(), theirs.Number())
	c.differ(name, "its type", ours.Kind(), theirs.Kind())
	c.differ(name, "its label", ours.Cardinality(), theirs.Cardinality())
	c.differ(name, "its being optional", ours.HasOptionalKeyword(), theirs.HasOptionalKeyword())
	c.differ(name, "its being a map", ours.IsMap(), theirs.IsMap())
	c.differ(name, "its oneof", oneofOf(ours), oneofOf(theirs))
	if ours.Message() != nil && theirs.Message() != nil {
		c.differ(name, "its message", ours.Message().FullName(), theirs.Message().FullName())
	}
}

func oneofOf(f protoreflect.FieldDescriptor) protoreflect.Name {
	if o := f.ContainingOneof(); o != nil && !o.IsSynthetic() {
		return o.Name()
	}
	return ""
}
