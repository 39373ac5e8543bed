import Models

/// What a JSON value must be. Said once: the OpenAPI document is written from it, and requests are checked by it.
indirect enum Schema: Sendable {
  /// So many characters (Unicode scalars), none of them a control character.
  case text(ClosedRange<Int>)
  /// Characters of any kind: a password, or a token of ours.
  case opaque(ClosedRange<Int>)
  case applianceID
  case eventType
  /// RFC 3339 with a zone.
  case moment
  case word([String])
  case integer(ClosedRange<Int>)
  case number
  case boolean
  /// An object that is passed on unread.
  case anyObject
  /// An object with these members. A request with any other is refused.
  case object([Member])
  /// An object whose further members are not ours to name.
  case openObject([Member])
  case list(Schema)
  case nullable(Schema)
  /// Stands under a name of its own in the document's components.
  case named(String, Schema)

  struct Member: Sendable {
    let name: String
    let schema: Schema
    let isRequired: Bool
    let note: String

    static func required(_ name: String, _ schema: Schema, _ note: String = "") -> Member {
      Member(name: name, schema: schema, isRequired: true, note: note)
    }

    static func optional(_ name: String, _ schema: Schema, _ note: String = "") -> Member {
      Member(name: name, schema: schema, isRequired: false, note: note)
    }
  }

  /// The largest integer that every JSON reader keeps.
  static let count = Schema.integer(0...9_007_199_254_740_991)
}

// MARK: The document

extension Schema {
  /// JSON Schema, draft 2020-12, with references to the document's components.
  var document: JSONValue {
    switch self {
    case .text(let lengths), .opaque(let lengths):
      ["type": "string", "minLength": .integer(Int64(lengths.lowerBound)), "maxLength": .integer(Int64(lengths.upperBound))]
    case .applianceID: ["type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"]
    case .eventType: ["type": "string", "pattern": "^[A-Za-z0-9._:-]{1,64}$"]
    case .moment: ["type": "string", "format": "date-time"]
    case .word(let words): ["type": "string", "enum": .list(words.map { .text($0) })]
    case .integer(let range):
      ["type": "integer", "minimum": .integer(Int64(range.lowerBound)), "maximum": .integer(Int64(range.upperBound))]
    case .number: ["type": "number"]
    case .boolean: ["type": "boolean"]
    case .anyObject: ["type": "object"]
    case .object(let members): Self.object(members, isOpen: false)
    case .openObject(let members): Self.object(members, isOpen: true)
    case .list(let element): ["type": "array", "items": element.document]
    case .nullable(let schema): ["anyOf": [schema.document, ["type": "null"]]]
    case .named(let name, _): ["$ref": .text("#/components/schemas/\(name)")]
    }
  }

  private static func object(_ members: [Member], isOpen: Bool) -> JSONValue {
    let properties = members.map { member -> (String, JSONValue) in
      guard !member.note.isEmpty, case .object(let parts) = member.schema.document else { return (member.name, member.schema.document) }
      return (member.name, .object(parts + [("description", .text(member.note))]))
    }
    return [
      "type": "object", "properties": .object(properties),
      "required": .list(members.filter(\.isRequired).map { .text($0.name) }), "additionalProperties": .boolean(isOpen),
    ]
  }

  /// Every named schema in this one, itself included.
  var components: [(name: String, schema: Schema)] {
    switch self {
    case .named(let name, let schema): [(name, schema)] + schema.components
    case .object(let members), .openObject(let members): members.flatMap(\.schema.components)
    case .list(let element), .nullable(let element): element.components
    default: []
    }
  }

  /// In a few words, for people.
  var words: String {
    switch self {
    case .text(let lengths), .opaque(let lengths):
      lengths.lowerBound == lengths.upperBound
        ? "a string of \(lengths.lowerBound) characters" : "a string of \(lengths.lowerBound) to \(lengths.upperBound) characters"
    case .applianceID: "an appliance id: 1 to 64 of A-Z a-z 0-9 . _ -"
    case .eventType: "an event type: 1 to 64 of A-Z a-z 0-9 . _ : -"
    case .moment: "a moment with its zone, like 2026-02-14T12:30:00Z"
    case .word(let words): "one of " + words.joined(separator: ", ")
    case .integer(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
    case .number: "a number"
    case .boolean: "true or false"
    case .anyObject, .object, .openObject: "an object"
    case .list(let element): "a list, each \(element.words)"
    case .nullable(let schema): schema.words + ", or null"
    case .named(_, let schema): schema.words
    }
  }
}
