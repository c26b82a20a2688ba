internal import ProviderContract

/// What is wrong with a tool of prv.tools/1, beyond what keeps the host from reading it.
enum ToolFaults {
  static func of(_ tool: ToolOffer) -> [String] {
    let undescribed = tool.summary.isEmpty ? ["it has no description"] : []
    guard let schema = SettingsSchema(tool.inputSchemaJSON) else {
      return undescribed + ["its input_schema_json is not a JSON object"]
    }
    return undescribed + schema.faults + files(tool, schema)
  }

  /// An argument for files is an array; for one file it may be an object.
  private static func files(_ tool: ToolOffer, _ schema: SettingsSchema) -> [String] {
    guard let files = tool.files else { return [] }
    guard let argument = schema.properties.first(where: { $0.key == files.argument })?.value else {
      return ["its argument for files, \(files.argument), is not in its schema"]
    }
    let type = argument["type"]?.string ?? ""
    return type == "array" || type == "object" && files.countLimit == 1
      ? [] : ["its argument for files, \(files.argument), has the type \"\(type)\""]
  }
}
