/// The schemas of the API as components of its description: tools/fixtures/api-schemas writes this file from
/// schemas/.
enum APISchemas {
    static let json = ##"""
        {
         "api-index": {
          "title": "GET /api/v1",
          "description": "What there is.",
          "type": "object",
          "required": [
           "openapi",
           "paths"
          ],
          "additionalProperties": false,
          "properties": {
           "openapi": {
            "type": "string"
           },
           "paths": {
            "type": "array",
            "items": {
             "type": "string"
            }
           }
          }
         },
         "checkpoint": {
          "title": "Checkpoint manifest",
          "description": "What is written down when a checkpoint is made; a document in the store.",
          "type": "object",
          "required": [
           "created",
           "digest",
           "format",
           "origin",
           "type"
          ],
          "properties": {
           "type": {
            "const": "checkpoint"
           },
           "format": {
            "const": 1
           },
           "digest": {
            "$ref": "#/components/schemas/checkpoint.digest"
           },
           "origin": {
            "enum": [
             "base",
             "register",
             "import"
            ]
           },
           "created": {
            "$ref": "#/components/schemas/checkpoint.time"
           },
           "parent": {
            "$ref": "#/components/schemas/checkpoint.digest"
           },
           "acquisition": {
            "$ref": "#/components/schemas/checkpoint.acquisition"
           },
           "engine": {
            "$ref": "#/components/schemas/checkpoint.engine"
           },
           "recipe": {
            "type": "object"
           },
           "details": true
          },
          "additionalProperties": false,
          "if": {
           "properties": {
            "origin": {
             "const": "base"
            }
           }
          },
          "then": {
           "not": {
            "required": [
             "parent"
            ]
           }
          },
          "else": {
           "required": [
            "parent"
           ]
          }
         },
         "checkpoint.acquisition": {
          "type": "object",
          "required": [
           "digest",
           "skill",
           "version"
          ],
          "properties": {
           "skill": {
            "$ref": "#/components/schemas/checkpoint.name"
           },
           "version": {
            "$ref": "#/components/schemas/checkpoint.version"
           },
           "digest": {
            "$ref": "#/components/schemas/checkpoint.digest"
           }
          },
          "additionalProperties": false
         },
         "checkpoint.digest": {
          "type": "string",
          "pattern": "^[0-9a-f]{64}$",
          "description": "SHA-256, 64 lower-case hexadecimal digits"
         },
         "checkpoint.engine": {
          "type": "object",
          "required": [
           "name",
           "version"
          ],
          "properties": {
           "name": {
            "type": "string"
           },
           "version": {
            "type": "string"
           }
          },
          "additionalProperties": false
         },
         "checkpoint.name": {
          "type": "string",
          "pattern": "^[a-z0-9][a-z0-9-]{0,62}$"
         },
         "checkpoint.time": {
          "type": "string",
          "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$",
          "description": "moment in UTC"
         },
         "checkpoint.version": {
          "type": "string",
          "pattern": "^[0-9]+\\.[0-9]+\\.[0-9]+"
         },
         "checkpoints": {
          "title": "GET /api/v1/checkpoints",
          "description": "A page of checkpoints, newest first.",
          "type": "object",
          "required": [
           "checkpoints"
          ],
          "additionalProperties": false,
          "properties": {
           "checkpoints": {
            "type": "array",
            "items": {
             "$ref": "#/components/schemas/common.checkpoint"
            }
           }
          }
         },
         "common.acquisition": {
          "type": "object",
          "required": [
           "skill",
           "version",
           "digest"
          ],
          "additionalProperties": false,
          "properties": {
           "skill": {
            "$ref": "#/components/schemas/common.name"
           },
           "version": {
            "$ref": "#/components/schemas/common.version"
           },
           "digest": {
            "$ref": "#/components/schemas/common.digest",
            "description": "Digest of the skill's folder."
           }
          },
          "description": "The skill that a checkpoint was trained to acquire."
         },
         "common.checkpoint": {
          "type": "object",
          "required": [
           "digest",
           "origin",
           "status",
           "manifest",
           "created"
          ],
          "additionalProperties": false,
          "properties": {
           "digest": {
            "$ref": "#/components/schemas/common.digest",
            "description": "The checkpoint's name."
           },
           "parent": {
            "$ref": "#/components/schemas/common.digest",
            "description": "The checkpoint it was trained from; absent for the base."
           },
           "origin": {
            "enum": [
             "base",
             "register",
             "import"
            ],
            "description": "How it came into the registry."
           },
           "status": {
            "enum": [
             "base",
             "candidate",
             "accepted",
             "rejected",
             "inconclusive",
             "waived"
            ],
            "description": "What became of it."
           },
           "acquisition": {
            "$ref": "#/components/schemas/common.acquisition"
           },
           "engine": {
            "$ref": "#/components/schemas/common.engine"
           },
           "recipe": {
            "type": "object",
            "description": "Every setting that shaped the training, as the Pawl that made it knew them."
           },
           "manifest": {
            "$ref": "#/components/schemas/common.digest",
            "description": "The document written when it was made (checkpoint.json)."
           },
           "created": {
            "$ref": "#/components/schemas/common.time"
           },
           "collected": {
            "$ref": "#/components/schemas/common.time",
            "description": "When pawl gc removed its weights; absent while they are kept."
           }
          },
          "description": "A checkpoint as the registry knows it."
         },
         "common.difference": {
          "type": "number",
          "minimum": -1,
          "maximum": 1,
          "description": "A difference of scores, as a fraction: 0.05 is 5 points."
         },
         "common.digest": {
          "type": "string",
          "pattern": "^[0-9a-f]{64}$",
          "description": "SHA-256, 64 lower-case hexadecimal digits."
         },
         "common.engine": {
          "type": "object",
          "required": [
           "name",
           "version"
          ],
          "additionalProperties": false,
          "properties": {
           "name": {
            "$ref": "#/components/schemas/common.name"
           },
           "version": {
            "$ref": "#/components/schemas/common.version"
           }
          },
          "description": "Which engine, in which version."
         },
         "common.hold_state": {
          "enum": [
           "held",
           "regressed",
           "undecided",
           "waived",
           "unmeasured"
          ],
          "description": "held: shown no worse than the anchor. regressed: shown worse by more than the margin. undecided: measured, and neither was shown. waived: serves by a waiver that covers this suite. unmeasured: never judged on this checkpoint."
         },
         "common.journal_entry": {
          "type": "object",
          "required": [
           "sequence",
           "digest",
           "time",
           "actor",
           "kind",
           "body"
          ],
          "additionalProperties": false,
          "properties": {
           "sequence": {
            "type": "integer",
            "minimum": 1,
            "description": "Position in the journal, 1 for the first."
           },
           "digest": {
            "$ref": "#/components/schemas/common.digest",
            "description": "Name of the entry: SHA-256 of its document."
           },
           "previous": {
            "$ref": "#/components/schemas/common.digest",
            "description": "The entry before; absent for the first."
           },
           "time": {
            "$ref": "#/components/schemas/common.time"
           },
           "actor": {
            "type": "string",
            "description": "Who made the change, USER@HOST."
           },
           "kind": {
            "enum": [
             "init",
             "suite_added",
             "skill_added",
             "candidate",
             "import",
             "evaluation",
             "noise",
             "verdict",
             "gate_run",
             "promotion",
             "waiver",
             "rollback",
             "collection",
             "registration_abandoned"
            ]
           },
           "checkpoint": {
            "$ref": "#/components/schemas/common.digest",
            "description": "The checkpoint that it is about."
           },
           "skill": {
            "$ref": "#/components/schemas/common.name"
           },
           "suite": {
            "$ref": "#/components/schemas/common.digest",
            "description": "Digest of the suite that it is about."
           },
           "verdict": {
            "$ref": "#/components/schemas/common.digest",
            "description": "The verdict that it records or rests on."
           },
           "reason": {
            "type": "string",
            "description": "Why, in the words of whoever did it."
           },
           "body": {
            "type": "object",
            "description": "All that is needed to apply the entry again, by kind."
           }
          },
          "description": "An entry of the journal: the document (journal-entry.json) without type and format, with its name.",
          "allOf": [
           {
            "if": {
             "properties": {
              "kind": {
               "enum": [
                "init",
                "suite_added",
                "skill_added",
                "candidate",
                "import"
               ]
              }
             }
            },
            "then": {
             "properties": {
              "body": {
               "$ref": "#/components/schemas/journal-entry.record_body"
              }
             }
            }
           },
           {
            "if": {
             "properties": {
              "kind": {
               "enum": [
                "evaluation"
               ]
              }
             }
            },
            "then": {
             "properties": {
              "body": {
               "$ref": "#/components/schemas/journal-entry.evaluation_body"
              }
             }
            }
           },
           {
            "if": {
             "properties": {
              "kind": {
               "enum": [
                "noise"
               ]
              }
             }
            },
            "then": {
             "properties": {
              "body": {
               "$ref": "#/components/schemas/journal-entry.noise_body"
              }
             }
            }
           },
           {
            "if": {
             "properties": {
              "kind": {
               "enum": [
                "verdict",
                "gate_run"
               ]
              }
             }
            },
            "then": {
             "properties": {
              "body": {
               "$ref": "#/components/schemas/journal-entry.verdict_body"
              }
             }
            }
           },
           {
            "if": {
             "properties": {
              "kind": {
               "enum": [
                "promotion",
                "waiver",
                "rollback"
               ]
              }
             }
            },
            "then": {
             "properties": {
              "body": {
               "$ref": "#/components/schemas/journal-entry.move_body"
              }
             }
            }
           },
           {
            "if": {
             "properties": {
              "kind": {
               "enum": [
                "collection"
               ]
              }
             }
            },
            "then": {
             "properties": {
              "body": {
               "$ref": "#/components/schemas/journal-entry.collection_body"
              }
             }
            }
           },
           {
            "if": {
             "properties": {
              "kind": {
               "enum": [
                "registration_abandoned"
               ]
              }
             }
            },
            "then": {
             "properties": {
              "body": {
               "$ref": "#/components/schemas/journal-entry.abandon_body"
              }
             }
            }
           }
          ]
         },
         "common.lease": {
          "type": "object",
          "required": [
           "owner",
           "operation",
           "acquired",
           "heartbeat"
          ],
          "additionalProperties": false,
          "properties": {
           "owner": {
            "type": "string",
            "description": "HOST:PID:START-TIME of the process."
           },
           "operation": {
            "type": "string",
            "description": "What it does."
           },
           "acquired": {
            "$ref": "#/components/schemas/common.time"
           },
           "heartbeat": {
            "$ref": "#/components/schemas/common.time",
            "description": "When it last showed life."
           }
          },
          "description": "Who runs the one long operation of the registry."
         },
         "common.margin": {
          "oneOf": [
           {
            "type": "number",
            "exclusiveMinimum": 0,
            "exclusiveMaximum": 1
           },
           {
            "const": "auto"
           }
          ],
          "description": "The largest loss that counts as no worse, as declared: a fraction, or auto."
         },
         "common.name": {
          "type": "string",
          "pattern": "^[a-z0-9][a-z0-9-]{0,62}$",
          "description": "Lower-case letters, digits and hyphens."
         },
         "common.score": {
          "type": "number",
          "minimum": 0,
          "maximum": 1,
          "description": "A mean over items, as a fraction."
         },
         "common.skill_state": {
          "type": "object",
          "required": [
           "version",
           "suite_name",
           "suite",
           "state"
          ],
          "additionalProperties": false,
          "properties": {
           "skill": {
            "$ref": "#/components/schemas/common.name",
            "description": "The skill; absent for a general suite."
           },
           "version": {
            "$ref": "#/components/schemas/common.version",
            "description": "Version of the skill; for a general suite, of the suite."
           },
           "suite_name": {
            "$ref": "#/components/schemas/common.name"
           },
           "suite": {
            "$ref": "#/components/schemas/common.digest",
            "description": "Digest of the suite."
           },
           "state": {
            "$ref": "#/components/schemas/common.hold_state"
           },
           "score": {
            "$ref": "#/components/schemas/common.score"
           },
           "score_lower": {
            "$ref": "#/components/schemas/common.score",
            "description": "Lower end of the 95% interval of the score."
           },
           "score_upper": {
            "$ref": "#/components/schemas/common.score",
            "description": "Upper end of it."
           },
           "difference": {
            "$ref": "#/components/schemas/common.difference",
            "description": "Score minus the anchor's, in the verdict that decided the state."
           },
           "lower": {
            "$ref": "#/components/schemas/common.difference",
            "description": "Lower bound of that difference."
           },
           "upper": {
            "$ref": "#/components/schemas/common.difference",
            "description": "Upper bound of it."
           },
           "margin": {
            "type": "number",
            "minimum": 0,
            "exclusiveMaximum": 1,
            "description": "The margin of that verdict; 0 where a gain was asked for."
           },
           "anchor": {
            "$ref": "#/components/schemas/common.digest",
            "description": "The checkpoint that it was, or would be, judged against."
           },
           "acquired": {
            "$ref": "#/components/schemas/common.digest",
            "description": "The checkpoint of the line that acquired the skill."
           },
           "certified": {
            "$ref": "#/components/schemas/common.time",
            "description": "When it was shown to hold; only where the state is held."
           },
           "verdict": {
            "$ref": "#/components/schemas/common.digest",
            "description": "The verdict that decided the state."
           }
          },
          "description": "How well a checkpoint holds a skill, or what a general suite guards."
         },
         "common.stored_size": {
          "type": "object",
          "required": [
           "logical_bytes",
           "stored_bytes",
           "base_bytes",
           "payload_bytes",
           "depths"
          ],
          "additionalProperties": false,
          "properties": {
           "logical_bytes": {
            "type": "integer",
            "minimum": 0,
            "description": "Bytes of all files."
           },
           "stored_bytes": {
            "type": "integer",
            "minimum": 0,
            "description": "Bytes of the objects that hold the tree's own tensors and files."
           },
           "base_bytes": {
            "type": "integer",
            "minimum": 0,
            "description": "Bytes of further objects that only its deltas need."
           },
           "payload_bytes": {
            "type": "object",
            "propertyNames": {
             "enum": [
              "raw",
              "full",
              "delta",
              "same",
              "folded"
             ]
            },
            "additionalProperties": {
             "type": "integer",
             "minimum": 0
            },
            "description": "Bytes by encoding of the block."
           },
           "depths": {
            "type": "array",
            "items": {
             "type": "integer",
             "minimum": 0
            },
            "description": "Number of tensors and files by the depth of their chain of deltas; the first counts those without one."
           }
          },
          "description": "What a checkpoint takes in the store."
         },
         "common.suite_record": {
          "type": "object",
          "required": [
           "name",
           "version",
           "digest",
           "tree",
           "family",
           "metric",
           "margin",
           "added"
          ],
          "additionalProperties": false,
          "properties": {
           "name": {
            "$ref": "#/components/schemas/common.name"
           },
           "version": {
            "$ref": "#/components/schemas/common.version"
           },
           "digest": {
            "$ref": "#/components/schemas/common.digest",
            "description": "SHA-256 over everything in the suite that moves a score."
           },
           "tree": {
            "$ref": "#/components/schemas/common.digest",
            "description": "The stored folder that it is read from."
           },
           "skill": {
            "$ref": "#/components/schemas/common.name",
            "description": "The skill that it measures; absent for a general suite."
           },
           "family": {
            "type": "string",
            "description": "Task family."
           },
           "metric": {
            "enum": [
             "accuracy",
             "mean"
            ]
           },
           "margin": {
            "$ref": "#/components/schemas/common.margin"
           },
           "added": {
            "$ref": "#/components/schemas/common.time"
           }
          },
          "description": "A suite as the registry knows it."
         },
         "common.time": {
          "type": "string",
          "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$",
          "description": "A moment in UTC, with milliseconds."
         },
         "common.version": {
          "type": "string",
          "pattern": "^[0-9]+\\.[0-9]+\\.[0-9]+([-+].*)?$",
          "description": "Semantic version."
         },
         "diff": {
          "title": "pawl diff --json",
          "description": "Two checkpoints side by side.",
          "type": "object",
          "required": [
           "from",
           "to",
           "tree",
           "elements",
           "changed_elements",
           "stored",
           "suites"
          ],
          "additionalProperties": false,
          "properties": {
           "from": {
            "$ref": "#/components/schemas/common.digest"
           },
           "to": {
            "$ref": "#/components/schemas/common.digest"
           },
           "tree": {
            "type": "object",
            "required": [
             "tensors",
             "files",
             "equal_tensors"
            ],
            "additionalProperties": false,
            "properties": {
             "tensors": {
              "type": "array",
              "items": {
               "type": "object",
               "required": [
                "file",
                "name",
                "change",
                "elements",
                "changed_elements"
               ],
               "additionalProperties": false,
               "properties": {
                "file": {
                 "type": "string"
                },
                "name": {
                 "type": "string"
                },
                "change": {
                 "enum": [
                  "added",
                  "removed",
                  "changed"
                 ]
                },
                "elements": {
                 "type": "integer",
                 "minimum": 0
                },
                "changed_elements": {
                 "type": "integer",
                 "minimum": 0,
                 "description": "Elements whose bits differ."
                }
               }
              },
              "description": "Tensors that differ."
             },
             "files": {
              "type": "array",
              "items": {
               "type": "object",
               "required": [
                "path",
                "change"
               ],
               "additionalProperties": false,
               "properties": {
                "path": {
                 "type": "string"
                },
                "change": {
                 "enum": [
                  "added",
                  "removed",
                  "changed"
                 ]
                }
               }
              },
              "description": "Other files that differ."
             },
             "equal_tensors": {
              "type": "integer",
              "minimum": 0,
              "description": "Tensors that are the same."
             }
            }
           },
           "elements": {
            "type": "integer",
            "minimum": 0,
            "description": "Elements of all tensors of the second."
           },
           "changed_elements": {
            "type": "integer",
            "minimum": 0
           },
           "stored": {
            "type": "array",
            "items": {
             "$ref": "#/components/schemas/common.stored_size"
            },
            "minItems": 2,
            "maxItems": 2,
            "description": "The first, then the second."
           },
           "suites": {
            "type": "array",
            "items": {
             "type": "object",
             "required": [
              "name"
             ],
             "additionalProperties": false,
             "properties": {
              "name": {
               "$ref": "#/components/schemas/common.name"
              },
              "from": {
               "$ref": "#/components/schemas/common.score"
              },
              "to": {
               "$ref": "#/components/schemas/common.score"
              }
             }
            },
            "description": "Suites that either was measured on."
           }
          }
         },
         "explain": {
          "title": "pawl gate explain --json",
          "description": "What a verdict rests on, item by item.",
          "type": "object",
          "required": [
           "verdict",
           "decision",
           "candidate",
           "suites"
          ],
          "additionalProperties": false,
          "properties": {
           "verdict": {
            "$ref": "#/components/schemas/common.digest"
           },
           "decision": {
            "enum": [
             "accept",
             "reject",
             "inconclusive"
            ]
           },
           "candidate": {
            "$ref": "#/components/schemas/common.digest"
           },
           "suites": {
            "type": "array",
            "items": {
             "type": "object",
             "required": [
              "comparison",
              "sentence",
              "flips"
             ],
             "additionalProperties": false,
             "properties": {
              "comparison": {
               "$ref": "#/components/schemas/verdict.comparison"
              },
              "sentence": {
               "type": "string"
              },
              "flips": {
               "type": "array",
               "items": {
                "$ref": "#/components/schemas/explain.flip"
               },
               "description": "Items whose score differs."
              }
             }
            }
           }
          }
         },
         "explain.answer": {
          "type": "object",
          "required": [
           "score",
           "status"
          ],
          "additionalProperties": false,
          "properties": {
           "text": {
            "type": "string",
            "description": "The response, or the chosen choice."
           },
           "score": {
            "$ref": "#/components/schemas/common.score"
           },
           "status": {
            "enum": [
             "ok",
             "missing",
             "failed",
             "truncated"
            ]
           },
           "error": {
            "type": "string"
           }
          }
         },
         "explain.flip": {
          "type": "object",
          "required": [
           "id",
           "item",
           "question",
           "targets",
           "anchor",
           "candidate"
          ],
          "additionalProperties": false,
          "properties": {
           "id": {
            "type": "string"
           },
           "item": {
            "$ref": "#/components/schemas/common.digest",
            "description": "Digest of the item's content."
           },
           "cluster": {
            "type": "string"
           },
           "question": {
            "type": "string",
            "description": "The last user turn, or the raw prompt."
           },
           "targets": {
            "type": "array",
            "items": {
             "type": "string"
            },
            "description": "What counts as right."
           },
           "anchor": {
            "$ref": "#/components/schemas/explain.answer"
           },
           "candidate": {
            "$ref": "#/components/schemas/explain.answer"
           }
          }
         },
         "journal-entry.abandon_body": {
          "type": "object",
          "required": [
           "documents",
           "registration"
          ],
          "properties": {
           "registration": {
            "$ref": "#/components/schemas/journal-entry.name"
           },
           "documents": {
            "type": "array",
            "items": {
             "$ref": "#/components/schemas/journal-entry.digest"
            },
            "uniqueItems": true,
            "description": "everything in the store that the entry rests on"
           }
          },
          "additionalProperties": false
         },
         "journal-entry.acquisition": {
          "type": "object",
          "required": [
           "digest",
           "skill",
           "version"
          ],
          "properties": {
           "skill": {
            "$ref": "#/components/schemas/journal-entry.name"
           },
           "version": {
            "$ref": "#/components/schemas/journal-entry.version"
           },
           "digest": {
            "$ref": "#/components/schemas/journal-entry.digest"
           }
          },
          "additionalProperties": false
         },
         "journal-entry.collection_body": {
          "type": "object",
          "required": [
           "checkpoints",
           "documents"
          ],
          "properties": {
           "checkpoints": {
            "type": "array",
            "items": {
             "$ref": "#/components/schemas/journal-entry.digest"
            }
           },
           "documents": {
            "type": "array",
            "items": {
             "$ref": "#/components/schemas/journal-entry.digest"
            },
            "uniqueItems": true,
            "description": "everything in the store that the entry rests on"
           }
          },
          "additionalProperties": false
         },
         "journal-entry.digest": {
          "type": "string",
          "pattern": "^[0-9a-f]{64}$",
          "description": "SHA-256, 64 lower-case hexadecimal digits"
         },
         "journal-entry.evaluation_body": {
          "type": "object",
          "required": [
           "documents",
           "evaluations"
          ],
          "properties": {
           "evaluations": {
            "type": "array",
            "items": {
             "$ref": "#/components/schemas/journal-entry.digest"
            },
            "minItems": 1
           },
           "documents": {
            "type": "array",
            "items": {
             "$ref": "#/components/schemas/journal-entry.digest"
            },
            "uniqueItems": true,
            "description": "everything in the store that the entry rests on"
           }
          },
          "additionalProperties": false
         },
         "journal-entry.move_body": {
          "type": "object",
          "required": [
           "documents",
           "from",
           "to"
          ],
          "properties": {
           "from": {
            "$ref": "#/components/schemas/journal-entry.digest"
           },
           "to": {
            "$ref": "#/components/schemas/journal-entry.digest"
           },
           "documents": {
            "type": "array",
            "items": {
             "$ref": "#/components/schemas/journal-entry.digest"
            },
            "uniqueItems": true,
            "description": "everything in the store that the entry rests on"
           },
           "anchors": {
            "type": "array",
            "items": {
             "type": "object",
             "required": [
              "anchor",
              "name",
              "suite"
             ],
             "properties": {
              "name": {
               "$ref": "#/components/schemas/journal-entry.name"
              },
              "suite": {
               "$ref": "#/components/schemas/journal-entry.digest"
              },
              "anchor": {
               "$ref": "#/components/schemas/journal-entry.digest"
              }
             },
             "additionalProperties": false
            }
           },
           "given_up": {
            "type": "array",
            "items": {
             "$ref": "#/components/schemas/journal-entry.acquisition"
            }
           }
          },
          "additionalProperties": false
         },
         "journal-entry.name": {
          "type": "string",
          "pattern": "^[a-z0-9][a-z0-9-]{0,62}$"
         },
         "journal-entry.noise_body": {
          "type": "object",
          "required": [
           "documents",
           "noise"
          ],
          "properties": {
           "noise": {
            "type": "array",
            "minItems": 1,
            "items": {
             "type": "object",
             "required": [
              "checkpoint",
              "suite",
              "settings",
              "first",
              "second",
              "count",
              "changed",
              "flips",
              "created"
             ],
             "properties": {
              "checkpoint": {
               "$ref": "#/components/schemas/journal-entry.digest"
              },
              "suite": {
               "$ref": "#/components/schemas/journal-entry.digest"
              },
              "settings": {
               "$ref": "#/components/schemas/journal-entry.digest"
              },
              "first": {
               "$ref": "#/components/schemas/journal-entry.digest"
              },
              "second": {
               "$ref": "#/components/schemas/journal-entry.digest"
              },
              "count": {
               "type": "integer",
               "minimum": 1
              },
              "changed": {
               "type": "integer",
               "minimum": 0
              },
              "flips": {
               "type": "integer",
               "minimum": 0
              },
              "created": {
               "$ref": "#/components/schemas/journal-entry.time"
              }
             },
             "additionalProperties": false
            }
           },
           "documents": {
            "type": "array",
            "items": {
             "$ref": "#/components/schemas/journal-entry.digest"
            },
            "uniqueItems": true,
            "description": "everything in the store that the entry rests on"
           }
          },
          "additionalProperties": false
         },
         "journal-entry.record_body": {
          "type": "object",
          "required": [
           "documents",
           "record"
          ],
          "properties": {
           "record": {
            "$ref": "#/components/schemas/journal-entry.digest"
           },
           "documents": {
            "type": "array",
            "items": {
             "$ref": "#/components/schemas/journal-entry.digest"
            },
            "uniqueItems": true,
            "description": "everything in the store that the entry rests on"
           }
          },
          "additionalProperties": false
         },
         "journal-entry.time": {
          "type": "string",
          "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$",
          "description": "moment in UTC"
         },
         "journal-entry.verdict": {
          "type": "object",
          "required": [
           "candidate",
           "created",
           "decision",
           "digest",
           "kind",
           "suites"
          ],
          "properties": {
           "digest": {
            "$ref": "#/components/schemas/journal-entry.digest"
           },
           "candidate": {
            "$ref": "#/components/schemas/journal-entry.digest"
           },
           "decision": {
            "enum": [
             "accept",
             "reject",
             "inconclusive",
             "none"
            ]
           },
           "kind": {
            "enum": [
             "registration",
             "gate_run",
             "import"
            ]
           },
           "created": {
            "$ref": "#/components/schemas/journal-entry.time"
           },
           "suites": {
            "type": "array",
            "items": {
             "$ref": "#/components/schemas/journal-entry.verdict_suite"
            }
           },
           "registration": {
            "type": "string"
           },
           "parent": {
            "$ref": "#/components/schemas/journal-entry.digest"
           }
          },
          "additionalProperties": false
         },
         "journal-entry.verdict_body": {
          "type": "object",
          "required": [
           "documents",
           "evaluations",
           "verdict"
          ],
          "properties": {
           "verdict": {
            "$ref": "#/components/schemas/journal-entry.verdict"
           },
           "evaluations": {
            "type": "array",
            "items": {
             "$ref": "#/components/schemas/journal-entry.digest"
            }
           },
           "documents": {
            "type": "array",
            "items": {
             "$ref": "#/components/schemas/journal-entry.digest"
            },
            "uniqueItems": true,
            "description": "everything in the store that the entry rests on"
           }
          },
          "additionalProperties": false
         },
         "journal-entry.verdict_suite": {
          "type": "object",
          "required": [
           "alpha",
           "anchor",
           "anchor_score",
           "candidate_score",
           "count",
           "difference",
           "lost",
           "lower",
           "margin",
           "name",
           "role",
           "state",
           "suite",
           "upper",
           "won"
          ],
          "properties": {
           "name": {
            "$ref": "#/components/schemas/journal-entry.name"
           },
           "suite": {
            "$ref": "#/components/schemas/journal-entry.digest"
           },
           "role": {
            "enum": [
             "prior",
             "new"
            ]
           },
           "anchor": {
            "$ref": "#/components/schemas/journal-entry.digest"
           },
           "state": {
            "enum": [
             "held",
             "regressed",
             "undecided",
             "gained",
             "not_gained"
            ]
           },
           "difference": {
            "type": "number"
           },
           "lower": {
            "type": "number"
           },
           "upper": {
            "type": "number"
           },
           "margin": {
            "type": "number"
           },
           "alpha": {
            "type": "number"
           },
           "count": {
            "type": "integer",
            "minimum": 1
           },
           "candidate_score": {
            "type": "number"
           },
           "anchor_score": {
            "type": "number"
           },
           "lost": {
            "type": "integer",
            "minimum": 0
           },
           "won": {
            "type": "integer",
            "minimum": 0
           },
           "attempt": {
            "type": "integer",
            "minimum": 1
           },
           "opening": {
            "type": "integer",
            "minimum": 1
           }
          },
          "additionalProperties": false
         },
         "journal-entry.version": {
          "type": "string",
          "pattern": "^[0-9]+\\.[0-9]+\\.[0-9]+"
         },
         "log": {
          "title": "pawl log --json",
          "description": "Entries of the journal, newest first.",
          "type": "object",
          "required": [
           "entries"
          ],
          "additionalProperties": false,
          "properties": {
           "entries": {
            "type": "array",
            "items": {
             "$ref": "#/components/schemas/common.journal_entry"
            }
           }
          }
         },
         "matrix": {
          "title": "pawl matrix --json",
          "description": "Scores of checkpoints on suites; a pair that was never measured has no cell.",
          "type": "object",
          "required": [
           "checkpoints",
           "suites",
           "cells"
          ],
          "additionalProperties": false,
          "properties": {
           "checkpoints": {
            "type": "array",
            "items": {
             "$ref": "#/components/schemas/common.checkpoint"
            },
            "description": "Rows, oldest first."
           },
           "suites": {
            "type": "array",
            "items": {
             "$ref": "#/components/schemas/common.suite_record"
            },
            "description": "Columns: one suite a name, general ones first."
           },
           "cells": {
            "type": "array",
            "items": {
             "type": "object",
             "required": [
              "checkpoint",
              "suite",
              "score",
              "lower",
              "upper",
              "count"
             ],
             "additionalProperties": false,
             "properties": {
              "checkpoint": {
               "$ref": "#/components/schemas/common.digest"
              },
              "suite": {
               "$ref": "#/components/schemas/common.digest"
              },
              "score": {
               "$ref": "#/components/schemas/common.score"
              },
              "lower": {
               "$ref": "#/components/schemas/common.score",
               "description": "Lower end of the 95% interval."
              },
              "upper": {
               "$ref": "#/components/schemas/common.score",
               "description": "Upper end of it."
              },
              "count": {
               "type": "integer",
               "minimum": 1,
               "description": "Number of items."
              },
              "state": {
               "$ref": "#/components/schemas/common.hold_state",
               "description": "What the latest verdict on this checkpoint says of the suite; absent when none judged it."
              }
             }
            }
           }
          }
         },
         "move": {
          "title": "pawl promote --json, pawl rollback --json",
          "description": "The journal entry that moved main.",
          "$ref": "#/components/schemas/common.journal_entry",
          "properties": {
           "kind": {
            "enum": [
             "promotion",
             "waiver",
             "rollback"
            ]
           }
          }
         },
         "plan": {
          "title": "pawl gate plan --json",
          "description": "What the gate can decide about a candidate that does not exist yet.",
          "type": "object",
          "required": [
           "priors",
           "unchanged_passes"
          ],
          "additionalProperties": false,
          "properties": {
           "priors": {
            "type": "array",
            "description": "The suites that must hold.",
            "items": {
             "type": "object",
             "required": [
              "suite",
              "suite_digest",
              "anchor",
              "count",
              "units",
              "attempt",
              "alpha",
              "flip_rate",
              "margin",
              "declared",
              "unchanged_holds",
              "can_hold"
             ],
             "additionalProperties": false,
             "properties": {
              "suite": {
               "$ref": "#/components/schemas/common.name"
              },
              "suite_digest": {
               "$ref": "#/components/schemas/common.digest"
              },
              "anchor": {
               "$ref": "#/components/schemas/common.digest",
               "description": "What a candidate is compared with."
              },
              "count": {
               "type": "integer",
               "minimum": 1,
               "description": "Number of items."
              },
              "units": {
               "type": "integer",
               "minimum": 1,
               "description": "Independent ones: items, or clusters of a mean."
              },
              "attempt": {
               "type": "integer",
               "minimum": 1,
               "description": "The coming one against this anchor."
              },
              "alpha": {
               "type": "number",
               "exclusiveMinimum": 0,
               "maximum": 0.05
              },
              "flip_rate": {
               "type": "object",
               "description": "The share of answers that is expected to change.",
               "required": [
                "rate",
                "compared"
               ],
               "additionalProperties": false,
               "properties": {
                "rate": {
                 "type": "number",
                 "minimum": 0,
                 "maximum": 1
                },
                "compared": {
                 "type": "integer",
                 "minimum": 0,
                 "description": "Answers of earlier verdicts; 0: assumed."
                }
               }
              },
              "margin": {
               "type": "number",
               "exclusiveMinimum": 0,
               "maximum": 1,
               "description": "That will be asked for."
              },
              "declared": {
               "type": "boolean",
               "description": "Whether the suite declares it."
              },
              "smallest_margin": {
               "type": "number",
               "exclusiveMinimum": 0,
               "exclusiveMaximum": 1,
               "description": "The smallest that can be certified with power 0.8 for all suites; missing when none can."
              },
              "standing": {
               "type": "object",
               "description": "The checkpoint that would be trained from, against the anchor, in items; missing: unmeasured.",
               "required": [
                "both_right",
                "both_wrong",
                "lost",
                "won"
               ],
               "additionalProperties": false,
               "properties": {
                "both_right": {
                 "type": "integer",
                 "minimum": 0
                },
                "both_wrong": {
                 "type": "integer",
                 "minimum": 0
                },
                "lost": {
                 "type": "integer",
                 "minimum": 0
                },
                "won": {
                 "type": "integer",
                 "minimum": 0
                }
               }
              },
              "unchanged_holds": {
               "type": "number",
               "minimum": 0,
               "maximum": 1
              },
              "units_needed": {
               "type": "integer",
               "minimum": 1,
               "description": "About, for that margin; missing: over a million."
              },
              "can_hold": {
               "type": "boolean",
               "description": "Whether equal answers would show that it holds."
              },
              "sealed": {
               "type": "object",
               "description": "The sealed items, which must hold as well; absent when there are none.",
               "required": [
                "count",
                "units",
                "opening",
                "alpha",
                "unchanged_holds",
                "can_hold"
               ],
               "additionalProperties": false,
               "properties": {
                "count": {
                 "type": "integer",
                 "minimum": 1
                },
                "units": {
                 "type": "integer",
                 "minimum": 1
                },
                "opening": {
                 "type": "integer",
                 "minimum": 1,
                 "description": "The coming one against this anchor."
                },
                "alpha": {
                 "type": "number",
                 "exclusiveMinimum": 0,
                 "maximum": 0.05
                },
                "unchanged_holds": {
                 "type": "number",
                 "minimum": 0,
                 "maximum": 1
                },
                "can_hold": {
                 "type": "boolean"
                }
               }
              }
             }
            }
           },
           "new": {
            "type": "object",
            "description": "The suite of the skill that would be acquired.",
            "required": [
             "suite",
             "suite_digest",
             "count",
             "units",
             "attempt",
             "alpha"
            ],
            "additionalProperties": false,
            "properties": {
             "suite": {
              "$ref": "#/components/schemas/common.name"
             },
             "suite_digest": {
              "$ref": "#/components/schemas/common.digest"
             },
             "count": {
              "type": "integer",
              "minimum": 1
             },
             "units": {
              "type": "integer",
              "minimum": 1
             },
             "attempt": {
              "type": "integer",
              "minimum": 1
             },
             "alpha": {
              "type": "number",
              "exclusiveMinimum": 0,
              "maximum": 0.05
             },
             "smallest_gain": {
              "type": "number",
              "exclusiveMinimum": 0,
              "exclusiveMaximum": 1,
              "description": "The smallest true gain that is shown with power 0.8; missing when none is."
             }
            }
           },
           "unchanged_passes": {
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "description": "The chance that an unchanged model is shown to hold on every prior suite."
           }
          }
         },
         "problem": {
          "title": "Problem details",
          "description": "What went wrong with a request (RFC 9457, application/problem+json).",
          "type": "object",
          "required": [
           "type",
           "title",
           "status",
           "detail",
           "code"
          ],
          "additionalProperties": false,
          "properties": {
           "type": {
            "const": "about:blank"
           },
           "title": {
            "type": "string"
           },
           "status": {
            "type": "integer",
            "minimum": 400,
            "maximum": 599
           },
           "detail": {
            "type": "string",
            "minLength": 1
           },
           "code": {
            "type": "string",
            "description": "The code that commands print (schemas/error.json); the server's own are unauthorized, forbidden, method_not_allowed, too_large, busy and stopping."
           },
           "hint": {
            "type": "string",
            "minLength": 1,
            "description": "What to do about it."
           }
          }
         },
         "promotion-request": {
          "title": "POST /api/v1/promotions",
          "description": "What becomes main.",
          "type": "object",
          "required": [
           "checkpoint"
          ],
          "additionalProperties": false,
          "properties": {
           "checkpoint": {
            "type": "string",
            "pattern": "^([a-z0-9][a-z0-9-]{0,62}|[0-9a-fA-F]{4,64})(~[0-9]{0,6})?$",
            "description": "A reference (main, main~2) or the first digits of a digest."
           },
           "waive": {
            "type": "string",
            "pattern": "\\S",
            "description": "Why it becomes main without an ACCEPT; the journal keeps it."
           }
          }
         },
         "registration": {
          "title": "Registration",
          "description": "work/ID/state.json: a run of pawl register that can be resumed.",
          "type": "object",
          "required": [
           "created",
           "id",
           "parent",
           "phase",
           "skill",
           "state",
           "updated"
          ],
          "properties": {
           "id": {
            "$ref": "#/components/schemas/registration.name"
           },
           "skill": {
            "$ref": "#/components/schemas/registration.name"
           },
           "parent": {
            "$ref": "#/components/schemas/registration.digest"
           },
           "phase": {
            "type": "string"
           },
           "state": true,
           "created": {
            "$ref": "#/components/schemas/registration.time"
           },
           "updated": {
            "$ref": "#/components/schemas/registration.time"
           },
           "finished": {
            "$ref": "#/components/schemas/registration.time"
           },
           "outcome": {
            "type": "string"
           }
          },
          "additionalProperties": false
         },
         "registration-request": {
          "title": "POST /api/v1/registrations",
          "description": "What to teach main, as pawl register takes it.",
          "type": "object",
          "required": [],
          "additionalProperties": false,
          "properties": {
           "skill": {
            "$ref": "#/components/schemas/common.name",
            "description": "Name of the skill; may be left out with resume."
           },
           "engine": {
            "$ref": "#/components/schemas/common.name",
            "description": "The engine that trains and evaluates; native unless given."
           },
           "recipe": {
            "type": "object",
            "description": "Recipe keys that replace the skill's own (schemas/skill.json)."
           },
           "attempts": {
            "type": "integer",
            "minimum": 1,
            "maximum": 10,
            "description": "Most trainings, each at half the learning rate of the one before."
           },
           "rescue": {
            "type": "boolean",
            "description": "After a REJECT, look for an accepted point between the weights."
           },
           "force": {
            "type": "boolean",
            "description": "Go on where the probe, an automatic margin or a canary says stop."
           },
           "resume": {
            "type": "boolean",
            "description": "Go on with an unfinished registration."
           }
          },
          "anyOf": [
           {
            "required": [
             "skill"
            ]
           },
           {
            "required": [
             "resume"
            ],
            "properties": {
             "resume": {
              "const": true
             }
            }
           }
          ]
         },
         "registration-summary": {
          "title": "A registration over HTTP",
          "description": "Where a registration is; what it needs to go on stays on the server.",
          "type": "object",
          "required": [
           "id",
           "skill",
           "parent",
           "phase",
           "created",
           "updated",
           "running"
          ],
          "additionalProperties": false,
          "properties": {
           "id": {
            "$ref": "#/components/schemas/common.name"
           },
           "skill": {
            "$ref": "#/components/schemas/common.name"
           },
           "parent": {
            "$ref": "#/components/schemas/common.digest"
           },
           "phase": {
            "type": "string"
           },
           "created": {
            "$ref": "#/components/schemas/common.time"
           },
           "updated": {
            "$ref": "#/components/schemas/common.time"
           },
           "finished": {
            "$ref": "#/components/schemas/common.time"
           },
           "outcome": {
            "type": "string",
            "description": "How it ended: a decision, or why it was given up."
           },
           "running": {
            "type": "boolean",
            "description": "Whether this server runs it now."
           }
          }
         },
         "registration.digest": {
          "type": "string",
          "pattern": "^[0-9a-f]{64}$",
          "description": "SHA-256, 64 lower-case hexadecimal digits"
         },
         "registration.name": {
          "type": "string",
          "pattern": "^[a-z0-9][a-z0-9-]{0,62}$"
         },
         "registration.time": {
          "type": "string",
          "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z$",
          "description": "moment in UTC"
         },
         "registrations": {
          "title": "GET /api/v1/registrations",
          "description": "A page of registrations, newest first.",
          "type": "object",
          "required": [
           "registrations"
          ],
          "additionalProperties": false,
          "properties": {
           "registrations": {
            "type": "array",
            "items": {
             "$ref": "#/components/schemas/registration-summary"
            }
           }
          }
         },
         "rollback-request": {
          "title": "POST /api/v1/rollbacks",
          "description": "Where main goes back to: one step unless to or skill says otherwise.",
          "type": "object",
          "required": [],
          "additionalProperties": false,
          "properties": {
           "to": {
            "type": "string",
            "pattern": "^([a-z0-9][a-z0-9-]{0,62}|[0-9a-fA-F]{4,64})(~[0-9]{0,6})?$",
            "description": "A reference (main, main~2) or the first digits of a digest."
           },
           "skill": {
            "$ref": "#/components/schemas/common.name",
            "description": "Go back to before this skill."
           },
           "reason": {
            "type": "string",
            "pattern": "\\S",
            "description": "Why; the journal keeps it."
           },
           "yes": {
            "type": "boolean",
            "description": "Go back although it gives up skills."
           }
          },
          "not": {
           "required": [
            "to",
            "skill"
           ]
          }
         },
         "show": {
          "title": "pawl show --json",
          "description": "Everything about a checkpoint.",
          "type": "object",
          "required": [
           "checkpoint",
           "manifest",
           "skills",
           "verdicts"
          ],
          "additionalProperties": false,
          "properties": {
           "checkpoint": {
            "$ref": "#/components/schemas/common.checkpoint"
           },
           "manifest": {
            "$ref": "#/components/schemas/checkpoint"
           },
           "skills": {
            "type": "array",
            "items": {
             "$ref": "#/components/schemas/common.skill_state"
            },
            "description": "Skills, then general suites."
           },
           "verdicts": {
            "type": "array",
            "items": {
             "$ref": "#/components/schemas/verdict"
            },
            "description": "Newest first."
           },
           "stored": {
            "$ref": "#/components/schemas/common.stored_size"
           }
          }
         },
         "skills": {
          "title": "pawl skills --json",
          "description": "What a checkpoint holds.",
          "type": "object",
          "required": [
           "checkpoint",
           "skills",
           "general"
          ],
          "additionalProperties": false,
          "properties": {
           "checkpoint": {
            "$ref": "#/components/schemas/common.digest"
           },
           "skills": {
            "type": "array",
            "items": {
             "$ref": "#/components/schemas/common.skill_state",
             "required": [
              "skill",
              "acquired"
             ]
            },
            "description": "Skills that its line acquired, oldest first."
           },
           "general": {
            "type": "array",
            "items": {
             "$ref": "#/components/schemas/common.skill_state",
             "not": {
              "required": [
               "skill"
              ]
             }
            },
            "description": "General suites in force."
           }
          }
         },
         "status": {
          "title": "pawl status --json",
          "description": "The registry at a glance.",
          "type": "object",
          "required": [
           "root",
           "line_length",
           "checkpoints",
           "skills",
           "general_suites",
           "entries",
           "unfinished"
          ],
          "additionalProperties": false,
          "properties": {
           "root": {
            "type": "string",
            "description": "Its directory."
           },
           "main": {
            "$ref": "#/components/schemas/common.digest",
            "description": "What serves."
           },
           "line_length": {
            "type": "integer",
            "minimum": 0,
            "description": "Checkpoints from the base to main, both counted."
           },
           "checkpoints": {
            "type": "object",
            "propertyNames": {
             "enum": [
              "base",
              "candidate",
              "accepted",
              "rejected",
              "inconclusive",
              "waived"
             ]
            },
            "additionalProperties": {
             "type": "integer",
             "minimum": 1
            },
            "description": "Number of checkpoints by status."
           },
           "skills": {
            "type": "object",
            "propertyNames": {
             "enum": [
              "held",
              "regressed",
              "undecided",
              "waived",
              "unmeasured"
             ]
            },
            "additionalProperties": {
             "type": "integer",
             "minimum": 1
            },
            "description": "Number of skills on main's line by state."
           },
           "general_suites": {
            "type": "integer",
            "minimum": 0
           },
           "entries": {
            "type": "integer",
            "minimum": 0,
            "description": "Number of journal entries."
           },
           "last_entry": {
            "$ref": "#/components/schemas/common.journal_entry"
           },
           "unfinished": {
            "type": "array",
            "items": {
             "$ref": "#/components/schemas/registration"
            },
            "description": "Registrations that can be resumed."
           },
           "lease": {
            "$ref": "#/components/schemas/common.lease"
           }
          }
         },
         "storage": {
          "title": "pawl status --storage --json",
          "description": "What a registry takes on disk, beside what other ways to keep the same skills would take.",
          "type": "object",
          "required": [
           "entries",
           "stored_bytes",
           "other_bytes",
           "cache_bytes",
           "copies_bytes",
           "adapters_bytes"
          ],
          "additionalProperties": false,
          "properties": {
           "entries": {
            "type": "array",
            "description": "Checkpoints whose weights are kept, oldest first.",
            "items": {
             "type": "object",
             "required": [
              "checkpoint",
              "status",
              "use"
             ],
             "additionalProperties": false,
             "properties": {
              "checkpoint": {
               "$ref": "#/components/schemas/common.digest"
              },
              "status": {
               "enum": [
                "base",
                "candidate",
                "accepted",
                "rejected",
                "inconclusive",
                "waived"
               ]
              },
              "skill": {
               "type": "string",
               "description": "The skill that it acquired."
              },
              "use": {
               "type": "object",
               "required": [
                "tree",
                "logical_bytes",
                "added_bytes",
                "payload_bytes",
                "level_bytes"
               ],
               "additionalProperties": false,
               "properties": {
                "tree": {
                 "$ref": "#/components/schemas/common.digest"
                },
                "logical_bytes": {
                 "type": "integer",
                 "minimum": 0,
                 "description": "Bytes of its files."
                },
                "added_bytes": {
                 "type": "integer",
                 "minimum": 0,
                 "description": "Bytes of objects that no checkpoint before it needs."
                },
                "payload_bytes": {
                 "type": "object",
                 "propertyNames": {
                  "enum": [
                   "raw",
                   "full",
                   "delta",
                   "same",
                   "folded"
                  ]
                 },
                 "additionalProperties": {
                  "type": "integer",
                  "minimum": 0
                 },
                 "description": "Payload in those objects, by encoding."
                },
                "level_bytes": {
                 "type": "object",
                 "propertyNames": {
                  "enum": [
                   "default",
                   "smallest",
                   "fast-read"
                  ]
                 },
                 "additionalProperties": {
                  "type": "integer",
                  "minimum": 0
                 },
                 "description": "The same payload by the level it was written at."
                }
               }
              }
             }
            }
           },
           "stored_bytes": {
            "type": "integer",
            "minimum": 0,
            "description": "Bytes of all objects."
           },
           "other_bytes": {
            "type": "integer",
            "minimum": 0,
            "description": "Bytes of those that no checkpoint's weights need: suites, evidence, verdicts, and what pawl gc would remove."
           },
           "cache_bytes": {
            "type": "integer",
            "minimum": 0,
            "description": "Bytes of checkpoints laid out as files."
           },
           "copies_bytes": {
            "type": "integer",
            "minimum": 0,
            "description": "The base and a full copy a skill on main's line."
           },
           "adapters_bytes": {
            "type": "integer",
            "minimum": 0,
            "description": "The base and an adapter of rank 16 on every projection a skill on main's line."
           }
          }
         },
         "transfer": {
          "title": "pawl matrix --transfer --json",
          "description": "What main's line learned and kept; a figure that needs an unmeasured cell is missing.",
          "type": "object",
          "required": [
           "skills",
           "metrics",
           "general",
           "unmeasured"
          ],
          "additionalProperties": false,
          "properties": {
           "skills": {
            "type": "array",
            "items": {
             "$ref": "#/components/schemas/common.name"
            },
            "description": "As they were acquired."
           },
           "metrics": {
            "type": "object",
            "additionalProperties": false,
            "properties": {
             "average_accuracy": {
              "$ref": "#/components/schemas/common.score"
             },
             "backward_transfer": {
              "$ref": "#/components/schemas/common.difference"
             },
             "forward_transfer": {
              "$ref": "#/components/schemas/common.difference"
             },
             "forgetting": {
              "$ref": "#/components/schemas/common.difference"
             }
            }
           },
           "general": {
            "type": "array",
            "items": {
             "type": "object",
             "required": [
              "suite",
              "change"
             ],
             "additionalProperties": false,
             "properties": {
              "suite": {
               "$ref": "#/components/schemas/common.name"
              },
              "change": {
               "$ref": "#/components/schemas/common.difference",
               "description": "Since the base."
              }
             }
            }
           },
           "unmeasured": {
            "type": "array",
            "items": {
             "type": "string"
            },
            "description": "Cells, as checkpoint and suite."
           }
          }
         },
         "verdict": {
          "title": "Verdict report",
          "description": "The decision about a candidate, with everything that it rests on.",
          "type": "object",
          "required": [
           "type",
           "kind",
           "decision",
           "candidate",
           "suites",
           "reasons",
           "created"
          ],
          "additionalProperties": false,
          "properties": {
           "type": {
            "const": "verdict"
           },
           "kind": {
            "enum": [
             "registration",
             "gate_run",
             "import"
            ]
           },
           "decision": {
            "enum": [
             "accept",
             "reject",
             "inconclusive"
            ]
           },
           "candidate": {
            "type": "string",
            "pattern": "^[0-9a-f]{64}$",
            "description": "SHA-256, 64 hexadecimal digits."
           },
           "parent": {
            "type": "string",
            "pattern": "^[0-9a-f]{64}$",
            "description": "SHA-256, 64 hexadecimal digits."
           },
           "skill": {
            "type": "object",
            "required": [
             "name",
             "version",
             "digest"
            ],
            "additionalProperties": false,
            "properties": {
             "name": {
              "type": "string",
              "pattern": "^[a-z0-9][a-z0-9-]{0,62}$",
              "description": "Lower-case letters, digits and hyphens."
             },
             "version": {
              "type": "string",
              "pattern": "^[0-9]+\\.[0-9]+\\.[0-9]+([-+].*)?$",
              "description": "Semantic version."
             },
             "digest": {
              "type": "string",
              "pattern": "^[0-9a-f]{64}$",
              "description": "SHA-256, 64 hexadecimal digits."
             }
            }
           },
           "suites": {
            "type": "array",
            "items": {
             "$ref": "#/components/schemas/verdict.comparison"
            }
           },
           "sealed": {
            "type": "array",
            "minItems": 1,
            "items": {
             "$ref": "#/components/schemas/verdict.comparison"
            },
            "description": "The sealed items of suites that have some; attempt counts their openings. Absent: none was opened."
           },
           "reasons": {
            "type": "array",
            "minItems": 1,
            "items": {
             "type": "string"
            },
            "description": "One sentence for the decision, then one for each suite."
           },
           "created": {
            "type": "string",
            "format": "date-time"
           }
          }
         },
         "verdict.canary": {
          "type": "object",
          "description": "What the same answers to the wrong questions would have been told.",
          "required": [
           "score",
           "damaged_score",
           "damaged_upper",
           "damaged_state",
           "distinct_answers"
          ],
          "additionalProperties": false,
          "properties": {
           "score": {
            "type": "number",
            "minimum": 0,
            "maximum": 1
           },
           "damaged_score": {
            "type": "number",
            "minimum": 0,
            "maximum": 1
           },
           "damaged_upper": {
            "type": "number",
            "minimum": -1,
            "maximum": 1
           },
           "damaged_state": {
            "enum": [
             "held",
             "regressed",
             "undecided"
            ]
           },
           "distinct_answers": {
            "type": "integer",
            "minimum": 0
           }
          }
         },
         "verdict.comparison": {
          "type": "object",
          "required": [
           "suite",
           "version",
           "suite_digest",
           "family",
           "metric",
           "role",
           "state",
           "anchor",
           "margin",
           "alpha",
           "attempt",
           "method",
           "count",
           "b",
           "c",
           "difference",
           "lower",
           "upper",
           "candidate_score",
           "anchor_score",
           "significant_drop",
           "superior",
           "candidate_unanswered",
           "anchor_unanswered",
           "candidate_truncated",
           "anchor_truncated",
           "clusters",
           "candidate_evidence",
           "anchor_evidence"
          ],
          "additionalProperties": false,
          "properties": {
           "suite": {
            "type": "string",
            "pattern": "^[a-z0-9][a-z0-9-]{0,62}$",
            "description": "Lower-case letters, digits and hyphens."
           },
           "version": {
            "type": "string",
            "pattern": "^[0-9]+\\.[0-9]+\\.[0-9]+([-+].*)?$",
            "description": "Semantic version."
           },
           "suite_digest": {
            "type": "string",
            "pattern": "^[0-9a-f]{64}$",
            "description": "SHA-256, 64 hexadecimal digits."
           },
           "family": {
            "type": "string"
           },
           "metric": {
            "enum": [
             "accuracy",
             "mean"
            ]
           },
           "role": {
            "enum": [
             "prior",
             "new"
            ]
           },
           "state": {
            "enum": [
             "held",
             "regressed",
             "undecided",
             "gained",
             "not_gained"
            ]
           },
           "anchor": {
            "type": "string",
            "pattern": "^[0-9a-f]{64}$",
            "description": "The checkpoint compared against; for a new skill the parent."
           },
           "margin": {
            "type": "number",
            "minimum": 0,
            "exclusiveMaximum": 1,
            "description": "The margin certified where the suite holds; 0 for a new skill."
           },
           "alpha": {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 0.05,
            "description": "Error probability of each one-sided bound."
           },
           "attempt": {
            "type": "integer",
            "minimum": 1
           },
           "method": {
            "enum": [
             "tango",
             "paired_t",
             "clustered_t"
            ]
           },
           "count": {
            "type": "integer",
            "minimum": 1
           },
           "b": {
            "type": "integer",
            "minimum": 0,
            "description": "Items on which the candidate is worse."
           },
           "c": {
            "type": "integer",
            "minimum": 0,
            "description": "Items on which the candidate is better."
           },
           "difference": {
            "type": "number",
            "minimum": -1,
            "maximum": 1
           },
           "lower": {
            "type": "number",
            "minimum": -1,
            "maximum": 1
           },
           "upper": {
            "type": "number",
            "minimum": -1,
            "maximum": 1
           },
           "candidate_score": {
            "type": "number",
            "minimum": 0,
            "maximum": 1
           },
           "anchor_score": {
            "type": "number",
            "minimum": 0,
            "maximum": 1
           },
           "significant_drop": {
            "type": "boolean"
           },
           "superior": {
            "type": "boolean"
           },
           "candidate_unanswered": {
            "type": "integer",
            "minimum": 0
           },
           "anchor_unanswered": {
            "type": "integer",
            "minimum": 0
           },
           "candidate_truncated": {
            "type": "integer",
            "minimum": 0
           },
           "anchor_truncated": {
            "type": "integer",
            "minimum": 0
           },
           "clusters": {
            "type": "array",
            "items": {
             "type": "object",
             "required": [
              "count",
              "candidate_score",
              "anchor_score",
              "b",
              "c"
             ],
             "additionalProperties": false,
             "properties": {
              "name": {
               "type": "string",
               "description": "Absent for the items that name no cluster."
              },
              "count": {
               "type": "integer",
               "minimum": 1
              },
              "candidate_score": {
               "type": "number",
               "minimum": 0,
               "maximum": 1
              },
              "anchor_score": {
               "type": "number",
               "minimum": 0,
               "maximum": 1
              },
              "b": {
               "type": "integer",
               "minimum": 0
              },
              "c": {
               "type": "integer",
               "minimum": 0
              }
             }
            }
           },
           "candidate_evidence": {
            "type": "string",
            "pattern": "^[0-9a-f]{64}$",
            "description": "SHA-256, 64 hexadecimal digits."
           },
           "anchor_evidence": {
            "type": "string",
            "pattern": "^[0-9a-f]{64}$",
            "description": "SHA-256, 64 hexadecimal digits."
           },
           "settings": {
            "type": "string",
            "pattern": "^[0-9a-f]{64}$",
            "description": "SHA-256, 64 hexadecimal digits."
           },
           "canary": {
            "$ref": "#/components/schemas/verdict.canary"
           },
           "noise": {
            "$ref": "#/components/schemas/verdict.noise"
           },
           "look": {
            "$ref": "#/components/schemas/verdict.look"
           }
          },
          "if": {
           "properties": {
            "role": {
             "const": "prior"
            }
           }
          },
          "then": {
           "properties": {
            "state": {
             "enum": [
              "held",
              "regressed",
              "undecided"
             ]
            },
            "margin": {
             "exclusiveMinimum": 0
            }
           }
          },
          "else": {
           "properties": {
            "state": {
             "enum": [
              "gained",
              "not_gained",
              "undecided"
             ]
            },
            "margin": {
             "const": 0
            }
           }
          }
         },
         "verdict.look": {
          "type": "object",
          "description": "Which part of the suite was looked at; absent where all items are used at once.",
          "required": [
           "index",
           "of",
           "before",
           "used",
           "total"
          ],
          "additionalProperties": false,
          "properties": {
           "index": {
            "type": "integer",
            "minimum": 1,
            "maximum": 5
           },
           "of": {
            "type": "integer",
            "minimum": 2,
            "maximum": 5
           },
           "before": {
            "type": "integer",
            "minimum": 0
           },
           "used": {
            "type": "integer",
            "minimum": 1
           },
           "total": {
            "type": "integer",
            "minimum": 1
           }
          }
         },
         "verdict.noise": {
          "type": "object",
          "description": "Two runs of the anchor.",
          "required": [
           "first",
           "second",
           "count",
           "changed",
           "flips"
          ],
          "additionalProperties": false,
          "properties": {
           "first": {
            "type": "string",
            "pattern": "^[0-9a-f]{64}$"
           },
           "second": {
            "type": "string",
            "pattern": "^[0-9a-f]{64}$"
           },
           "count": {
            "type": "integer",
            "minimum": 1
           },
           "changed": {
            "type": "integer",
            "minimum": 0
           },
           "flips": {
            "type": "integer",
            "minimum": 0
           }
          }
         }
        }
        """##
}
