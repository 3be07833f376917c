"""Shows Cadena's values in gdb: `source .../cadena.py`, or the line in ~/.gdbinit.

Tensor, Parameter, Buffer and Cell with dtype, shape, whether a gradient flows and the first
elements, strided ones too; Shape, Strides and SmallVector as lists. Reads memory alone: nothing of
the program runs.
"""

import gdb
import gdb.printing

FEW = 10  # elements that are shown

ELEMENTS = {
    "boolean": "bool",
    "uint8": "unsigned char",
    "int64": "long",
    "float32": "float",
    "float64": "double",
}


def dims(value):
    size = int(value["size_"])
    if not 0 <= size <= 8:
        return None  # not yet constructed
    return [int(value["values_"][i]) for i in range(size)]


def pointer_in(ref):
    return ref["pointer_"]


def element(value, dtype):
    if dtype == "boolean":
        return "true" if value else "false"
    if dtype.startswith("float"):
        text = "%.*g" % (7 if dtype == "float32" else 16, float(value))
        return text + "." if text.lstrip("-").isdigit() else text
    return str(int(value))


def describe_impl(impl):
    shape = dims(impl["shape"])
    if shape is None:
        return "tensor(not constructed)"
    dtype = str(impl["dtype"]).split("::")[-1]
    strides_pointer = unique(impl["strides"])
    if strides_pointer:
        strides = dims(strides_pointer.dereference())
    else:
        strides, step = [], 1
        for size in reversed(shape):
            strides.insert(0, step)
            step *= size
    count = 1
    for size in shape:
        count *= size
    text = "tensor(%s %s" % (dtype, shape)
    if pointer_in(impl["node"]):
        text += ", requires_grad"
    if strides_pointer:
        text += ", strides %s" % strides
    kind = ELEMENTS.get(dtype)
    if kind is None:
        return text + ")"
    data = impl["data"].cast(gdb.lookup_type(kind).pointer())
    shown = []
    for position in range(min(count, FEW)):
        offset, rest = 0, position
        for size, stride in zip(reversed(shape), reversed(strides)):
            offset += rest % size * stride
            rest //= size
        try:
            shown.append(element((data + offset).dereference(), dtype))
        except gdb.MemoryError:
            shown.append("?")
            break
    if count > FEW:
        shown.append("...")
    return "%s: %s)" % (text, ", ".join(shown))


def unique(pointer):
    """The pointer that a std::unique_ptr of libstdc++ holds."""
    inner = pointer
    while inner.type.strip_typedefs().code != gdb.TYPE_CODE_PTR:
        inner = first_pointer_field(inner)
    return inner


def first_pointer_field(value):
    """Descends to the member that holds something, through bases and tuples."""
    for field in value.type.strip_typedefs().fields():
        if hasattr(field, "bitpos") and field.type.sizeof == value.type.sizeof:
            return value[field]
    raise gdb.error("not a std::unique_ptr that is known")


def describe_tensor(tensor):
    impl = pointer_in(tensor["impl_"])
    return describe_impl(impl.dereference()) if impl else "tensor(undefined)"


class TensorPrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        return describe_tensor(self.value)


class CellPrinter:
    """The state of a cell is not known to programs: its tensor comes after the count of holders."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        value = self.value
        name = "cell"
        if value.type.strip_typedefs().tag.startswith("cadena::Field<"):
            name = "parameter" if value.type.template_argument(0) else "buffer"
            value = value["cell_"]
        state = pointer_in(value["state_"])
        if not state:
            return "%s(undefined)" % name
        tensor = gdb.lookup_type("cadena::Tensor")
        address = int(state) + tensor.alignof
        held = gdb.Value(address).cast(tensor.pointer()).dereference()
        return name + describe_tensor(held)[len("tensor"):]


class DimsPrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        values = dims(self.value)
        return "(not constructed)" if values is None else str(values)


class SmallVectorPrinter:
    def __init__(self, value):
        self.value = value

    def to_string(self):
        return "SmallVector of %d" % int(self.value["size_"])

    def children(self):
        for i in range(int(self.value["size_"])):
            yield "[%d]" % i, self.value["data_"][i]

    def display_hint(self):
        return "array"


def printers():
    collection = gdb.printing.RegexpCollectionPrettyPrinter("cadena")
    collection.add_printer("Tensor", "^cadena::Tensor$", TensorPrinter)
    collection.add_printer("Cell", "^cadena::(Cell|Field<.*>)$", CellPrinter)
    collection.add_printer("Dims", "^cadena::Dims$", DimsPrinter)
    collection.add_printer("SmallVector", "^cadena::SmallVector<.*>$", SmallVectorPrinter)
    return collection


gdb.printing.register_pretty_printer(None, printers(), replace=True)
