/// A moment in PostgreSQL's resolution: microseconds since 1970-01-01 UTC.
package struct PostgresTimestamp: Hashable, Sendable {
  package var microseconds: Int64

  package init(microseconds: Int64) { self.microseconds = microseconds }

  /// PostgreSQL counts from 2000-01-01.
  static let epochMicroseconds: Int64 = 946_684_800_000_000

  /// The wire form. What does not fit ends at PostgreSQL's own `-infinity` and `infinity`.
  var wire: Int64 {
    let (value, overflow) = microseconds.subtractingReportingOverflow(Self.epochMicroseconds)
    return overflow ? .min : value
  }
}

/// One parameter of a statement. Each goes out in PostgreSQL's binary form with its exact type, so nothing is quoted or parsed.
package enum PostgresValue: Sendable, Hashable {
  case null
  case bool(Bool)
  case int2(Int16)
  case int4(Int32)
  case int8(Int64)
  case float8(Double)
  case text(String)
  case bytea([UInt8])
  /// JSON text, kept by the server as it is.
  case json([UInt8])
  /// JSON text, kept by the server as a parsed value.
  case jsonb([UInt8])
  case timestamptz(PostgresTimestamp)
  /// 16 bytes.
  case uuid([UInt8])
  case textArray([String?])
  case int8Array([Int64?])
  case float8Array([Double?])
  case timestamptzArray([PostgresTimestamp?])
  case byteaArray([[UInt8]?])

  /// The type's object id; 0 lets the server infer it.
  var typeID: UInt32 {
    switch self {
    case .null: 0
    case .bool: TypeID.bool
    case .int2: TypeID.int2
    case .int4: TypeID.int4
    case .int8: TypeID.int8
    case .float8: TypeID.float8
    case .text: TypeID.text
    case .bytea: TypeID.bytea
    case .json: TypeID.json
    case .jsonb: TypeID.jsonb
    case .timestamptz: TypeID.timestamptz
    case .uuid: TypeID.uuid
    case .textArray: TypeID.textArray
    case .int8Array: TypeID.int8Array
    case .float8Array: TypeID.float8Array
    case .timestamptzArray: TypeID.timestamptzArray
    case .byteaArray: TypeID.byteaArray
    }
  }

  /// Appends the value's binary form, without its length.
  func encode(into bytes: inout [UInt8]) {
    switch self {
    case .null: break
    case .bool(let value): bytes.append(value ? 1 : 0)
    case .int2(let value): bytes.append(bigEndian: value)
    case .int4(let value): bytes.append(bigEndian: value)
    case .int8(let value): bytes.append(bigEndian: value)
    case .float8(let value): bytes.append(bigEndian: value.bitPattern)
    case .text(let value): bytes.append(contentsOf: value.utf8)
    case .bytea(let value), .json(let value), .uuid(let value): bytes.append(contentsOf: value)
    case .jsonb(let value):
      bytes.append(1)  // the version of the form
      bytes.append(contentsOf: value)
    case .timestamptz(let value): bytes.append(bigEndian: value.wire)
    case .textArray(let values):
      Self.append(values, of: TypeID.text, to: &bytes) { value, bytes in
        bytes.append(bigEndian: Int32(value.utf8.count))
        bytes.append(contentsOf: value.utf8)
      }
    case .int8Array(let values): Self.append(values, of: TypeID.int8, to: &bytes) { $1.append(eightBytes: $0) }
    case .float8Array(let values):
      Self.append(values, of: TypeID.float8, to: &bytes) { $1.append(eightBytes: Int64(bitPattern: $0.bitPattern)) }
    case .timestamptzArray(let values): Self.append(values, of: TypeID.timestamptz, to: &bytes) { $1.append(eightBytes: $0.wire) }
    case .byteaArray(let values):
      Self.append(values, of: TypeID.bytea, to: &bytes) { value, bytes in
        bytes.append(bigEndian: Int32(value.count))
        bytes.append(contentsOf: value)
      }
    }
  }

  /// Appends an array of one dimension; `appendElement` writes an element's length and bytes, nil is NULL.
  private static func append<Element>(
    _ values: [Element?], of element: UInt32, to bytes: inout [UInt8], appendElement: (Element, inout [UInt8]) -> Void
  ) {
    bytes.append(bigEndian: Int32(values.isEmpty ? 0 : 1))  // dimensions
    bytes.append(bigEndian: Int32(values.contains { $0 == nil } ? 1 : 0))
    bytes.append(bigEndian: element)
    guard !values.isEmpty else { return }
    bytes.append(bigEndian: Int32(values.count))
    bytes.append(bigEndian: Int32(1))  // lower bound
    for value in values {
      if let value { appendElement(value, &bytes) } else { bytes.append(bigEndian: Int32(-1)) }
    }
  }
}

/// Object ids of the built-in types, fixed in PostgreSQL's `pg_type.dat`.
enum TypeID {
  static let bool: UInt32 = 16, bytea: UInt32 = 17, name: UInt32 = 19, int8: UInt32 = 20, int2: UInt32 = 21, int4: UInt32 = 23
  static let text: UInt32 = 25, oid: UInt32 = 26, json: UInt32 = 114, float4: UInt32 = 700, float8: UInt32 = 701
  static let byteaArray: UInt32 = 1001, textArray: UInt32 = 1009, int8Array: UInt32 = 1016, float8Array: UInt32 = 1022,
    bpchar: UInt32 = 1042, varchar: UInt32 = 1043
  static let timestamptz: UInt32 = 1184, timestamptzArray: UInt32 = 1185, uuid: UInt32 = 2950, jsonb: UInt32 = 3802
}

extension [UInt8] {
  @inline(__always)
  mutating func append(bigEndian value: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
  }

  /// An element of an array, with its length.
  fileprivate mutating func append(eightBytes value: Int64) {
    append(bigEndian: Int32(8))
    append(bigEndian: value)
  }
}
