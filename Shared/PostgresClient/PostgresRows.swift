/// The rows of a result, copied out of libpq's memory into one block.
package struct PostgresRows: Sendable {
  package struct Column: Sendable, Hashable {
    package let name: String
    let typeID: UInt32
  }

  package let columns: [Column]
  package let count: Int
  /// Where each value stands in `bytes`, row by row; nil is NULL.
  let cells: [Range<Int>?]
  let bytes: [UInt8]

  package var isEmpty: Bool { count == 0 }

  /// The rows as tuples of Swift values, one type per column in order; `Optional` for columns that may be NULL.
  ///
  ///     for (id, name) in try rows.decode(String.self, String?.self) { … }
  ///
  /// - Throws: `.unexpectedResult` that names the column.
  package func decode<each Value: PostgresDecodable>(
    _ types: repeat (each Value).Type
  ) throws(PostgresError) -> [(repeat each Value)] {
    var expected = 0
    for _ in repeat each types { expected += 1 }
    guard columns.count == expected else {
      throw PostgresError(.unexpectedResult, message: "The result has \(columns.count) columns where \(expected) are expected")
    }
    var rows: [(repeat each Value)] = []
    rows.reserveCapacity(count)
    for row in 0..<count {
      var column = 0
      func next<T: PostgresDecodable>(_: T.Type) throws(PostgresError) -> T {
        defer { column += 1 }
        return try value(row: row, column: column)
      }
      rows.append((repeat try next(each types)))
    }
    return rows
  }

  private func value<T: PostgresDecodable>(row: Int, column: Int) throws(PostgresError) -> T {
    let type = columns[column].typeID
    let cell = cells[row * columns.count + column].map { PostgresCell(typeID: type, bytes: bytes[$0]) }
    guard let value = T(cell) else {
      throw PostgresError(
        .unexpectedResult,
        message: "Column \(columns[column].name) holds \(cell == nil ? "NULL" : "a value of type \(type)"), which is no \(T.self)")
    }
    return value
  }
}

/// One value of a result in PostgreSQL's binary form.
package struct PostgresCell {
  let typeID: UInt32
  let bytes: ArraySlice<UInt8>

  func integer<T: FixedWidthInteger>(_: T.Type) -> T? {
    guard bytes.count == T.bitWidth / 8 else { return nil }
    return bytes.reduce(0) { $0 << 8 | T(truncatingIfNeeded: $1) }
  }
}

/// A Swift value that a column can be read as. `cell` is nil for NULL; the result is nil when the types do not fit.
package protocol PostgresDecodable: Sendable {
  init?(_ cell: PostgresCell?)
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
  package init?(_ cell: PostgresCell?) {
    guard let cell else {
      self = .none
      return
    }
    guard let value = Wrapped(cell) else { return nil }
    self = .some(value)
  }
}

extension Bool: PostgresDecodable {
  package init?(_ cell: PostgresCell?) {
    guard let cell, cell.typeID == TypeID.bool, let byte = cell.bytes.first else { return nil }
    self = byte != 0
  }
}

extension Int64: PostgresDecodable {
  package init?(_ cell: PostgresCell?) {
    guard let cell else { return nil }
    let value: Int64? =
      switch cell.typeID {
      case TypeID.int2: cell.integer(Int16.self).map(Int64.init)
      case TypeID.int4: cell.integer(Int32.self).map(Int64.init)
      case TypeID.int8: cell.integer(Int64.self)
      case TypeID.oid: cell.integer(UInt32.self).map(Int64.init)
      default: nil
      }
    guard let value else { return nil }
    self = value
  }
}

extension Int: PostgresDecodable {
  package init?(_ cell: PostgresCell?) {
    guard let value = Int64(cell) else { return nil }
    self.init(exactly: value)
  }
}

extension Double: PostgresDecodable {
  package init?(_ cell: PostgresCell?) {
    switch cell?.typeID {
    case TypeID.float8: guard let bits = cell?.integer(UInt64.self) else { return nil }; self.init(bitPattern: bits)
    case TypeID.float4: guard let bits = cell?.integer(UInt32.self) else { return nil }; self.init(Float(bitPattern: bits))
    default: return nil
    }
  }
}

extension String: PostgresDecodable {
  package init?(_ cell: PostgresCell?) {
    guard let cell else { return nil }
    switch cell.typeID {
    case TypeID.text, TypeID.varchar, TypeID.bpchar, TypeID.name, TypeID.json: self.init(decoding: cell.bytes, as: UTF8.self)
    case TypeID.jsonb: self.init(decoding: cell.bytes.dropFirst(), as: UTF8.self)
    default: return nil
    }
  }
}

extension PostgresTimestamp: PostgresDecodable {
  /// `infinity` and `-infinity` are no moments, so they do not decode.
  package init?(_ cell: PostgresCell?) {
    guard let cell, cell.typeID == TypeID.timestamptz, let wire = cell.integer(Int64.self), wire != .max, wire != .min else { return nil }
    let (value, overflow) = wire.addingReportingOverflow(Self.epochMicroseconds)
    guard !overflow else { return nil }
    self.init(microseconds: value)
  }
}

extension Array: PostgresDecodable where Element: PostgresArrayElement {
  package init?(_ cell: PostgresCell?) {
    guard let cell, let array = Element.array(from: cell) else { return nil }
    self = array
  }
}

/// What an array of can be read from a column.
package protocol PostgresArrayElement: Sendable {
  static func array(from cell: PostgresCell) -> [Self]?
}

extension UInt8: PostgresArrayElement {
  /// The bytes of `bytea`, `uuid`, `json` and text columns.
  package static func array(from cell: PostgresCell) -> [UInt8]? {
    switch cell.typeID {
    case TypeID.bytea, TypeID.uuid, TypeID.json, TypeID.text, TypeID.varchar: [UInt8](cell.bytes)
    case TypeID.jsonb: [UInt8](cell.bytes.dropFirst())
    default: nil
    }
  }
}

extension String: PostgresArrayElement {
  package static func array(from cell: PostgresCell) -> [String]? {
    guard cell.typeID == TypeID.textArray else { return nil }
    return cell.elements(TypeID.text)?.compactMap { String($0) }
  }
}

extension Int64: PostgresArrayElement {
  package static func array(from cell: PostgresCell) -> [Int64]? {
    guard cell.typeID == TypeID.int8Array else { return nil }
    return cell.elements(TypeID.int8)?.compactMap { Int64($0) }
  }
}

extension PostgresCell {
  /// The elements of a one-dimensional array without NULLs; nil for any other array.
  func elements(_ elementType: UInt32) -> [PostgresCell]? {
    var rest = bytes
    func take(_ count: Int) -> ArraySlice<UInt8>? {
      guard count >= 0, rest.count >= count else { return nil }
      defer { rest = rest.dropFirst(count) }
      return rest.prefix(count)
    }
    func number() -> Int? {
      take(4).flatMap { PostgresCell(typeID: TypeID.int4, bytes: $0).integer(Int32.self) }.map(Int.init)
    }
    guard let dimensions = number(), number() != nil, number() == Int(elementType) else { return nil }
    if dimensions == 0 { return [] }
    guard dimensions == 1, let count = number(), number() != nil else { return nil }
    var cells: [PostgresCell] = []
    for _ in 0..<count {
      guard let length = number(), let element = take(length) else { return nil }
      cells.append(PostgresCell(typeID: elementType, bytes: element))
    }
    return cells
  }
}
