// Generated from openapi.json by `npm run client`.

export interface paths {
    "/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What runs here, and links to the rest.
         * @description A browser, which accepts `text/html`, gets a page.
         */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The service runs */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["RootResponse"];
                        "text/html": string;
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/animate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sets a picture in motion.
         * @description Waits until the video is made. Hanging up cancels it. With `Prefer: respond-async` it becomes a job instead; poll `GET
         *     /api/v1/tasks/{id}`.
         */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description A name for the request: if it is sent again under this name, it gets the same answer and makes nothing new */
                    "Idempotency-Key"?: string | null;
                    /** @description respond-async: do not wait for the video */
                    Prefer?: string | null;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["AnimateRequest"];
                };
            };
            responses: {
                /** @description The video: H.264 in MP4, which plays in every browser */
                200: {
                    headers: {
                        /** @description attachment, with a unique file name */
                        "Content-Disposition"?: string;
                        /** @description true if this request was answered before, or is being answered; else absent */
                        "Idempotent-Replayed"?: string;
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        /** @description The seed that it was made with */
                        "X-Seed"?: number;
                        /** @description Frames per second: a number or a fraction */
                        "X-Video-FPS"?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "video/mp4": components["schemas"]["Mp4File"];
                    };
                };
                /** @description The job that makes the video, for clients that do not want to wait */
                202: {
                    headers: {
                        /** @description The path of the task */
                        Location?: string;
                        /** @description respond-async */
                        "Preference-Applied"?: string;
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["VideoTaskResponse"];
                    };
                };
                /** @description The body is not JSON */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Malformed JSON: trailing comma at line 2 column 1"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description There is no such model: `detail` names those that there are */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Model \"sdxl\": there is no such model here; there are local, sd-turbo"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The body did not arrive in time */
                408: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Request body too slow: it did not arrive within 30 s"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The task was cancelled meanwhile */
                410: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Task img_abc123def456 has been cancelled"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The body is too large */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Request body too large: the limit is 1048576 bytes"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The body is declared as something other than JSON */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Unsupported Media Type: send the body as application/json, not text/plain"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description Fields of the request are wrong, a picture or the Idempotency-Key among them: `detail` names each */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ValidationErrorBody"];
                    };
                };
                /** @description The queue is full, or you have as many jobs waiting as the limit allows */
                429: {
                    headers: {
                        /** @description Seconds until a place is likely to be free */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "the queue is full (16 places); try again in about 5 s"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The job failed: `detail` says why */
                500: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Generation failed: internal error"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The model is not loaded yet, a service cannot be reached, the job failed for now, the server is shutting down, or its disk cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Model not loaded yet"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/i2v": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sets an image in motion, and notifies a G.A.M.E agent's requests API when that is done.
         * @description Answers at once. A prompt is read from the image if the operator has set up an interrogator, and the video is made by the service that
         *     `routing.i2v` names, or here. The result is posted to `POST {callback address}/{x-request-id}/callback` if the operator has set an
         *     address; `GET /api/v1/tasks/{id}` always has it, with the id of the header `x-task-id`. A request whose `x-request-id` was used before
         *     makes nothing new; its answer is the first request's task.
         */
        post: {
            parameters: {
                query?: never;
                header: {
                    /** @description The request's own name: 1 to 255 visible ASCII characters */
                    "x-request-id": string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ImageToVideoRequest"];
                };
            };
            responses: {
                /** @description The request is accepted */
                200: {
                    headers: {
                        /** @description true if the request was accepted before; else absent */
                        "Idempotent-Replayed"?: string;
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        /** @description The task's id, for `GET /api/v1/tasks/{id}` */
                        "x-task-id"?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ImageToVideoResponse"];
                    };
                };
                /** @description The body is not JSON */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Malformed JSON: trailing comma at line 2 column 1",
                         *       "error": {
                         *         "code": "HTTP_ERROR",
                         *         "message": "Malformed JSON: trailing comma at line 2 column 1",
                         *         "details": {}
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The video would exceed the month's budget for the service, or yours: `budget` has the sums */
                402: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "the budget for bedrock for 2026-11 is 5.00 USD, of which 4.80 USD are spent or reserved, and this video costs 0.48 USD; wait for the next month, or ask the operator to raise it",
                         *       "error": {
                         *         "code": "HTTP_ERROR",
                         *         "message": "the budget for bedrock for 2026-11 is 5.00 USD, of which 4.80 USD are spent or reserved, and this video costs 0.48 USD; wait for the next month, or ask the operator to raise it",
                         *         "details": {}
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description There is no such model: `detail` names those that there are */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Model \"sdxl\": there is no such model here; there are local, sd-turbo",
                         *       "error": {
                         *         "code": "HTTP_ERROR",
                         *         "message": "Model \"sdxl\": there is no such model here; there are local, sd-turbo",
                         *         "details": {}
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The body did not arrive in time */
                408: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Request body too slow: it did not arrive within 30 s",
                         *       "error": {
                         *         "code": "HTTP_ERROR",
                         *         "message": "Request body too slow: it did not arrive within 30 s",
                         *         "details": {}
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The body is too large */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Request body too large: the limit is 1048576 bytes",
                         *       "error": {
                         *         "code": "HTTP_ERROR",
                         *         "message": "Request body too large: the limit is 1048576 bytes",
                         *         "details": {}
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The body is declared as something other than JSON */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Unsupported Media Type: send the body as application/json, not text/plain",
                         *       "error": {
                         *         "code": "HTTP_ERROR",
                         *         "message": "Unsupported Media Type: send the body as application/json, not text/plain",
                         *         "details": {}
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description Fields of the request are wrong, a picture or the Idempotency-Key among them: `detail` names each */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskValidationErrorBody"];
                    };
                };
                /** @description The queue is full, or you have as many jobs waiting as the limit allows */
                429: {
                    headers: {
                        /** @description Seconds until a place is likely to be free */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "the queue is full (16 places); try again in about 5 s",
                         *       "error": {
                         *         "code": "RATE_LIMIT_EXCEEDED",
                         *         "message": "the queue is full (16 places); try again in about 5 s",
                         *         "details": {}
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The service has failed, or its settings are incomplete: `detail` says why */
                502: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "bedrock: the security token is invalid (UnrecognizedClientException); the operator has to check the provider's key",
                         *       "error": {
                         *         "code": "SERVICE_ERROR",
                         *         "message": "bedrock: the security token is invalid (UnrecognizedClientException); the operator has to check the provider's key",
                         *         "details": {
                         *           "service": "local",
                         *           "retryable": false
                         *         }
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The model is not loaded yet, a service cannot be reached, the job failed for now, the server is shutting down, or its disk cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Model not loaded yet",
                         *       "error": {
                         *         "code": "SERVICE_ERROR",
                         *         "message": "Model not loaded yet",
                         *         "details": {
                         *           "service": "local",
                         *           "retryable": true
                         *         }
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/images/generate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Makes a picture from a text.
         * @description Waits until it is made. Hanging up cancels it, unless the request has an `Idempotency-Key` or a `callback_url`.
         */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description A name for the request: if it is sent again under this name, it gets the same answer and makes nothing new */
                    "Idempotency-Key"?: string | null;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["PictureTaskRequest"];
                };
            };
            responses: {
                /** @description The picture */
                200: {
                    headers: {
                        /** @description true if this request was answered before; else absent */
                        "Idempotent-Replayed"?: string;
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ImageTaskResponse"];
                    };
                };
                /** @description The body is not JSON */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Malformed JSON: trailing comma at line 2 column 1",
                         *       "error": {
                         *         "code": "HTTP_ERROR",
                         *         "message": "Malformed JSON: trailing comma at line 2 column 1",
                         *         "details": {}
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description There is no such model: `detail` names those that there are */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Model \"sdxl\": there is no such model here; there are local, sd-turbo",
                         *       "error": {
                         *         "code": "HTTP_ERROR",
                         *         "message": "Model \"sdxl\": there is no such model here; there are local, sd-turbo",
                         *         "details": {}
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The body did not arrive in time */
                408: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Request body too slow: it did not arrive within 30 s",
                         *       "error": {
                         *         "code": "HTTP_ERROR",
                         *         "message": "Request body too slow: it did not arrive within 30 s",
                         *         "details": {}
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The task was cancelled meanwhile */
                410: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Task img_abc123def456 has been cancelled",
                         *       "error": {
                         *         "code": "HTTP_ERROR",
                         *         "message": "Task img_abc123def456 has been cancelled",
                         *         "details": {}
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The body is too large */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Request body too large: the limit is 1048576 bytes",
                         *       "error": {
                         *         "code": "HTTP_ERROR",
                         *         "message": "Request body too large: the limit is 1048576 bytes",
                         *         "details": {}
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The body is declared as something other than JSON */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Unsupported Media Type: send the body as application/json, not text/plain",
                         *       "error": {
                         *         "code": "HTTP_ERROR",
                         *         "message": "Unsupported Media Type: send the body as application/json, not text/plain",
                         *         "details": {}
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description Fields of the request are wrong, a picture or the Idempotency-Key among them: `detail` names each */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskValidationErrorBody"];
                    };
                };
                /** @description The queue is full, or you have as many jobs waiting as the limit allows */
                429: {
                    headers: {
                        /** @description Seconds until a place is likely to be free */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "the queue is full (16 places); try again in about 5 s",
                         *       "error": {
                         *         "code": "RATE_LIMIT_EXCEEDED",
                         *         "message": "the queue is full (16 places); try again in about 5 s",
                         *         "details": {}
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The job failed: `detail` says why */
                500: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Generation failed: internal error",
                         *       "error": {
                         *         "code": "INTERNAL_ERROR",
                         *         "message": "Generation failed: internal error",
                         *         "details": {}
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The model is not loaded yet, a service cannot be reached, the job failed for now, the server is shutting down, or its disk cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Model not loaded yet",
                         *       "error": {
                         *         "code": "SERVICE_ERROR",
                         *         "message": "Model not loaded yet",
                         *         "details": {
                         *           "service": "local",
                         *           "retryable": true
                         *         }
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/images/generate-i2i": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Makes a picture from a text and a picture.
         * @description Waits until it is made, as `POST /api/v1/images/generate` does.
         */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description A name for the request: if it is sent again under this name, it gets the same answer and makes nothing new */
                    "Idempotency-Key"?: string | null;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["PictureFromPictureRequest"];
                };
            };
            responses: {
                /** @description The picture */
                200: {
                    headers: {
                        /** @description true if this request was answered before; else absent */
                        "Idempotent-Replayed"?: string;
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ImageTaskResponse"];
                    };
                };
                /** @description The body is not JSON */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Malformed JSON: trailing comma at line 2 column 1",
                         *       "error": {
                         *         "code": "HTTP_ERROR",
                         *         "message": "Malformed JSON: trailing comma at line 2 column 1",
                         *         "details": {}
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description There is no such model: `detail` names those that there are */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Model \"sdxl\": there is no such model here; there are local, sd-turbo",
                         *       "error": {
                         *         "code": "HTTP_ERROR",
                         *         "message": "Model \"sdxl\": there is no such model here; there are local, sd-turbo",
                         *         "details": {}
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The body did not arrive in time */
                408: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Request body too slow: it did not arrive within 30 s",
                         *       "error": {
                         *         "code": "HTTP_ERROR",
                         *         "message": "Request body too slow: it did not arrive within 30 s",
                         *         "details": {}
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The task was cancelled meanwhile */
                410: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Task img_abc123def456 has been cancelled",
                         *       "error": {
                         *         "code": "HTTP_ERROR",
                         *         "message": "Task img_abc123def456 has been cancelled",
                         *         "details": {}
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The body is too large */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Request body too large: the limit is 1048576 bytes",
                         *       "error": {
                         *         "code": "HTTP_ERROR",
                         *         "message": "Request body too large: the limit is 1048576 bytes",
                         *         "details": {}
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The body is declared as something other than JSON */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Unsupported Media Type: send the body as application/json, not text/plain",
                         *       "error": {
                         *         "code": "HTTP_ERROR",
                         *         "message": "Unsupported Media Type: send the body as application/json, not text/plain",
                         *         "details": {}
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description Fields of the request are wrong, a picture or the Idempotency-Key among them: `detail` names each */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskValidationErrorBody"];
                    };
                };
                /** @description The queue is full, or you have as many jobs waiting as the limit allows */
                429: {
                    headers: {
                        /** @description Seconds until a place is likely to be free */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "the queue is full (16 places); try again in about 5 s",
                         *       "error": {
                         *         "code": "RATE_LIMIT_EXCEEDED",
                         *         "message": "the queue is full (16 places); try again in about 5 s",
                         *         "details": {}
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The job failed: `detail` says why */
                500: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Generation failed: internal error",
                         *       "error": {
                         *         "code": "INTERNAL_ERROR",
                         *         "message": "Generation failed: internal error",
                         *         "details": {}
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The model is not loaded yet, a service cannot be reached, the job failed for now, the server is shutting down, or its disk cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Model not loaded yet",
                         *       "error": {
                         *         "code": "SERVICE_ERROR",
                         *         "message": "Model not loaded yet",
                         *         "details": {
                         *           "service": "local",
                         *           "retryable": true
                         *         }
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/images/services": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The names of the services that make pictures: this machine. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The names */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example [
                         *       "local"
                         *     ]
                         */
                        "application/json": string[];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Your tasks, newest first.
         * @description A full page has a `Link` header with `rel="next"`.
         */
        get: {
            parameters: {
                query?: {
                    /** @description The maximum number of tasks. */
                    limit?: number;
                    /** @description Only tasks after the one with this id: the last of the previous page. */
                    after?: string;
                    /** @description Only tasks with this status. */
                    status?: "pending" | "processing" | "completed" | "failed" | "cancelled";
                    /** @description Whether the newest come first. */
                    order?: "asc" | "desc";
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The tasks */
                200: {
                    headers: {
                        /** @description The next page, if this one is full */
                        Link?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskSummary"][];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description There is no task with the id in `after` */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The query is wrong */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskValidationErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The server is shutting down, or its disk or its job store cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "The store of jobs cannot be used: the disk is full",
                         *       "error": {
                         *         "code": "SERVICE_ERROR",
                         *         "message": "The store of jobs cannot be used: the disk is full",
                         *         "details": {
                         *           "service": "local",
                         *           "retryable": true
                         *         }
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A task in its current state. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /**
                     * @description The task's id
                     * @example vid_abc123def456
                     */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The task, also if it failed or was cancelled */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Task"];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description There is no such task */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The server is shutting down, or its disk or its job store cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "The store of jobs cannot be used: the disk is full",
                         *       "error": {
                         *         "code": "SERVICE_ERROR",
                         *         "message": "The store of jobs cannot be used: the disk is full",
                         *         "details": {
                         *           "service": "local",
                         *           "retryable": true
                         *         }
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        /** Cancels a task: a queued one at once, a running one at its next step. */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /**
                     * @description The task's id
                     * @example vid_abc123def456
                     */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description It is cancelled */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CancelResponse"];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description There is no such task */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description It has already ended, and is unchanged */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The server is shutting down, or its disk or its job store cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "The store of jobs cannot be used: the disk is full",
                         *       "error": {
                         *         "code": "SERVICE_ERROR",
                         *         "message": "The store of jobs cannot be used: the disk is full",
                         *         "details": {
                         *           "service": "local",
                         *           "retryable": true
                         *         }
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{id}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The events of a task, as they happen: server-sent events.
         * @description `event:` is "queued", "started", "progress", "part", "requeued" (the server went down, and runs the task again), "completed", "failed"
         *     or "cancelled"; `data:` is JSON with `task_id`, `status` and `at`, and `progress` in percent when it has changed; the last event has the
         *     whole `task`, and the stream closes after it. With `previews=true` there are events "preview" in between, at most two a second, whose
         *     data has `task_id`, `width`, `height` and `image`, a data URL: roughly the image that a step leads to (with `part`, `step` and `steps`),
         *     or a finished frame of the video (with `frame`). They have no `id:` and are not repeated.
         */
        get: {
            parameters: {
                query?: {
                    /** @description Like the header `Last-Event-ID`, for clients that cannot send it; the header takes precedence. */
                    last_event_id?: number;
                    /** @description Whether to send small previews of the work in progress, as events "preview" without an `id:`. */
                    previews?: boolean;
                };
                header?: {
                    /** @description The last event that was received: those after it are sent */
                    "Last-Event-ID"?: number | null;
                };
                path: {
                    /**
                     * @description The task's id
                     * @example vid_abc123def456
                     */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The events */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/event-stream": components["schemas"]["StreamedEvent"];
                    };
                };
                /** @description The task has ended, and its last event was received */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description There is no such task */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The number of the last event is invalid */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskValidationErrorBody"];
                    };
                };
                /** @description You follow as many tasks as the limit allows */
                429: {
                    headers: {
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The server is shutting down, or its disk or its job store cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "The store of jobs cannot be used: the disk is full",
                         *       "error": {
                         *         "code": "SERVICE_ERROR",
                         *         "message": "The store of jobs cannot be used: the disk is full",
                         *         "details": {
                         *           "service": "local",
                         *           "retryable": true
                         *         }
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/usage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Your use of services in a month, and its cost. */
        get: {
            parameters: {
                query?: {
                    /**
                     * @description The month, in UTC; the current one if absent
                     * @example 2026-11
                     */
                    month?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description By service; services that were not used are absent */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Usage"];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The month is invalid */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskValidationErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The server is shutting down, or its disk or its job store cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "The store of jobs cannot be used: the disk is full",
                         *       "error": {
                         *         "code": "SERVICE_ERROR",
                         *         "message": "The store of jobs cannot be used: the disk is full",
                         *         "details": {
                         *           "service": "local",
                         *           "retryable": true
                         *         }
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/videos/generate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sets a picture in motion.
         * @description Answers at once with the task's id; poll `GET /api/v1/tasks/{id}`, or follow `/api/v1/tasks/{id}/events`.
         */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description A name for the request: if it is sent again under this name, it gets the same answer and makes nothing new */
                    "Idempotency-Key"?: string | null;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["VideoTaskRequest"];
                };
            };
            responses: {
                /** @description The task is accepted */
                200: {
                    headers: {
                        /** @description true if this request was answered before; else absent */
                        "Idempotent-Replayed"?: string;
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["VideoTaskResponse"];
                    };
                };
                /** @description The body is not JSON */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Malformed JSON: trailing comma at line 2 column 1",
                         *       "error": {
                         *         "code": "HTTP_ERROR",
                         *         "message": "Malformed JSON: trailing comma at line 2 column 1",
                         *         "details": {}
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The video would exceed the month's budget for the service, or yours: `budget` has the sums */
                402: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "the budget for bedrock for 2026-11 is 5.00 USD, of which 4.80 USD are spent or reserved, and this video costs 0.48 USD; wait for the next month, or ask the operator to raise it",
                         *       "error": {
                         *         "code": "HTTP_ERROR",
                         *         "message": "the budget for bedrock for 2026-11 is 5.00 USD, of which 4.80 USD are spent or reserved, and this video costs 0.48 USD; wait for the next month, or ask the operator to raise it",
                         *         "details": {}
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description There is no such model: `detail` names those that there are */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Model \"sdxl\": there is no such model here; there are local, sd-turbo",
                         *       "error": {
                         *         "code": "HTTP_ERROR",
                         *         "message": "Model \"sdxl\": there is no such model here; there are local, sd-turbo",
                         *         "details": {}
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The body did not arrive in time */
                408: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Request body too slow: it did not arrive within 30 s",
                         *       "error": {
                         *         "code": "HTTP_ERROR",
                         *         "message": "Request body too slow: it did not arrive within 30 s",
                         *         "details": {}
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The body is too large */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Request body too large: the limit is 1048576 bytes",
                         *       "error": {
                         *         "code": "HTTP_ERROR",
                         *         "message": "Request body too large: the limit is 1048576 bytes",
                         *         "details": {}
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The body is declared as something other than JSON */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Unsupported Media Type: send the body as application/json, not text/plain",
                         *       "error": {
                         *         "code": "HTTP_ERROR",
                         *         "message": "Unsupported Media Type: send the body as application/json, not text/plain",
                         *         "details": {}
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description Fields of the request are wrong, a picture or the Idempotency-Key among them: `detail` names each */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskValidationErrorBody"];
                    };
                };
                /** @description The queue is full, or you have as many jobs waiting as the limit allows */
                429: {
                    headers: {
                        /** @description Seconds until a place is likely to be free */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "the queue is full (16 places); try again in about 5 s",
                         *       "error": {
                         *         "code": "RATE_LIMIT_EXCEEDED",
                         *         "message": "the queue is full (16 places); try again in about 5 s",
                         *         "details": {}
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The service has failed, or its settings are incomplete: `detail` says why */
                502: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "bedrock: the security token is invalid (UnrecognizedClientException); the operator has to check the provider's key",
                         *       "error": {
                         *         "code": "SERVICE_ERROR",
                         *         "message": "bedrock: the security token is invalid (UnrecognizedClientException); the operator has to check the provider's key",
                         *         "details": {
                         *           "service": "local",
                         *           "retryable": false
                         *         }
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The model is not loaded yet, a service cannot be reached, the job failed for now, the server is shutting down, or its disk cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Model not loaded yet",
                         *       "error": {
                         *         "code": "SERVICE_ERROR",
                         *         "message": "Model not loaded yet",
                         *         "details": {
                         *           "service": "local",
                         *           "retryable": true
                         *         }
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/videos/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The state of a video's task. `GET /api/v1/tasks/{id}` has more.
         * @deprecated
         */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /**
                     * @description The task's id
                     * @example vid_abc123def456
                     */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The task, also if it failed or was cancelled */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["VideoStatus"];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description There is no such task */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
                /** @description The server is shutting down, or its disk or its job store cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "The store of jobs cannot be used: the disk is full",
                         *       "error": {
                         *         "code": "SERVICE_ERROR",
                         *         "message": "The store of jobs cannot be used: the disk is full",
                         *         "details": {
                         *           "service": "local",
                         *           "retryable": true
                         *         }
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["TaskErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/controlnet/detect": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** The control images that a module makes of pictures. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["WebUiControlNetDetectRequest"];
                };
            };
            responses: {
                /** @description The control images */
                200: {
                    headers: {
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiControlImages"];
                    };
                };
                /** @description The body is not JSON */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Malformed JSON: trailing comma at line 2 column 1",
                         *       "body": "",
                         *       "errors": "Malformed JSON: trailing comma at line 2 column 1"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The body did not arrive in time */
                408: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Request body too slow: it did not arrive within 30 s",
                         *       "body": "",
                         *       "errors": "Request body too slow: it did not arrive within 30 s"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The body is too large */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Request body too large: the limit is 1048576 bytes",
                         *       "body": "",
                         *       "errors": "Request body too large: the limit is 1048576 bytes"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The body is declared as something other than JSON */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Unsupported Media Type: send the body as application/json, not text/plain",
                         *       "body": "",
                         *       "errors": "Unsupported Media Type: send the body as application/json, not text/plain"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Fields of the request are wrong, a picture or the Idempotency-Key among them: `detail` names each */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The queue is full, or you have as many jobs waiting as the limit allows */
                429: {
                    headers: {
                        /** @description Seconds until a place is likely to be free */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "the queue is full (16 places); try again in about 5 s",
                         *       "body": "",
                         *       "errors": "the queue is full (16 places); try again in about 5 s"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The model is not loaded yet, a service cannot be reached, the job failed for now, the server is shutting down, or its disk cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Model not loaded yet",
                         *       "body": "",
                         *       "errors": "Model not loaded yet"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/controlnet/model_list": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The ControlNets that units may name. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The ControlNets */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiControlModels"];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/controlnet/module_list": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What makes control images from pictures. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The modules */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiControlModules"];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/controlnet/settings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What holds for all units. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The settings */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiControlSettings"];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/controlnet/version": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The version of the extension's API. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The version */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiControlVersion"];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/files/{job}/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A job's file.
         * @description Whole, or the part that `Range` asks for. The task's result has its URL.
         */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The task's id */
                    job: string;
                    /**
                     * @description The file's name
                     * @example video.mp4
                     */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The file */
                200: {
                    headers: {
                        /** @description bytes */
                        "Accept-Ranges"?: string;
                        /** @description The SHA-256 digest of its bytes */
                        ETag?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "video/mp4": components["schemas"]["Mp4File"];
                        "image/png": components["schemas"]["PngFile"];
                        "image/jpeg": components["schemas"]["JpegFile"];
                        "image/webp": components["schemas"]["WebPFile"];
                    };
                };
                /** @description The requested part */
                206: {
                    headers: {
                        /** @description The range of the part, and the total number of bytes */
                        "Content-Range"?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "video/mp4": components["schemas"]["Mp4File"];
                        "image/png": components["schemas"]["PngFile"];
                        "image/jpeg": components["schemas"]["JpegFile"];
                        "image/webp": components["schemas"]["WebPFile"];
                    };
                };
                /** @description The client already has this version: `If-None-Match` names its ETag */
                304: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description There is no such file */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description It was removed, for its age or to make room */
                410: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description Precondition failed: `If-Match` does not match its ETag */
                412: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description The requested range is outside the file */
                416: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The server is shutting down, or its disk or its job store cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "The store of jobs cannot be used: the disk is full"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/generate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Makes a picture from a text.
         * @description Waits until the picture is made. Hanging up cancels it.
         */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description A name for the request: if it is sent again under this name, it gets the same answer and makes nothing new */
                    "Idempotency-Key"?: string | null;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["GenerateRequest"];
                };
            };
            responses: {
                /** @description The picture: a PNG file, or JSON if `return_base64` is true */
                200: {
                    headers: {
                        /** @description attachment, with a unique file name; with the PNG file only */
                        "Content-Disposition"?: string;
                        /** @description true if this request was answered before, or is being answered; else absent */
                        "Idempotent-Replayed"?: string;
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description true if the prompt or the negative prompt was longer than the model reads, and was cut; else absent */
                        "X-Prompt-Truncated"?: boolean;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        /** @description The seed that the picture was made with */
                        "X-Seed"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        "image/png": components["schemas"]["PngFile"];
                        "application/json": components["schemas"]["GenerateResponse"];
                    };
                };
                /** @description The body is not JSON */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Malformed JSON: trailing comma at line 2 column 1"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description There is no such model: `detail` names those that there are */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Model \"sdxl\": there is no such model here; there are local, sd-turbo"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The body did not arrive in time */
                408: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Request body too slow: it did not arrive within 30 s"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The task was cancelled meanwhile */
                410: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Task img_abc123def456 has been cancelled"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The body is too large */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Request body too large: the limit is 1048576 bytes"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The body is declared as something other than JSON */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Unsupported Media Type: send the body as application/json, not text/plain"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description Fields of the request are wrong, a picture or the Idempotency-Key among them: `detail` names each */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ValidationErrorBody"];
                    };
                };
                /** @description The queue is full, or you have as many jobs waiting as the limit allows */
                429: {
                    headers: {
                        /** @description Seconds until a place is likely to be free */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "the queue is full (16 places); try again in about 5 s"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The job failed: `detail` says why */
                500: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Generation failed: internal error"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The model is not loaded yet, a service cannot be reached, the job failed for now, the server is shutting down, or its disk cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Model not loaded yet"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/generate-video": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Makes a video: of scenes, of a character, or from a text.
         * @description The keys of the body tell which. With `scenes` the answer is the video itself; hanging up cancels it, and with `Prefer: respond-async`
         *     it becomes a job instead: poll `GET /api/v1/tasks/{id}`. `characterImageUrl` and `script` make a job: poll `GET /generation/{id}`.
         *     `text` makes a job: poll `GET /video-status`. A body with keys of two kinds, or of none, is refused. All of them honour
         *     `Idempotency-Key`.
         */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description A name for the request: if it is sent again under this name, it gets the same answer and makes nothing new */
                    "Idempotency-Key"?: string | null;
                    /** @description respond-async: do not wait for the video */
                    Prefer?: string | null;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["AnyVideoRequest"];
                };
            };
            responses: {
                /** @description The video of scenes, H.264 in MP4, which plays in every browser; or the job */
                200: {
                    headers: {
                        /** @description attachment, with a unique file name; with a video of scenes only */
                        "Content-Disposition"?: string;
                        /** @description true if this request was answered before, or is being answered; else absent */
                        "Idempotent-Replayed"?: string;
                        /** @description Whether a hero's description is prepended to the prompts */
                        "X-Hero-Used"?: boolean;
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description true if a text was longer than the model reads, and was cut; else absent */
                        "X-Prompt-Truncated"?: boolean;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        /** @description The seed that it was made with */
                        "X-Seed"?: number;
                        /** @description Its length in seconds */
                        "X-Video-Duration"?: number;
                        /** @description Frames per second: a number or a fraction */
                        "X-Video-FPS"?: string;
                        /** @description The number of scenes */
                        "X-Video-Scenes"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        "video/mp4": components["schemas"]["Mp4File"];
                        "application/json": components["schemas"]["VideoJob"];
                    };
                };
                /** @description The job that makes the video, for clients that do not want to wait */
                202: {
                    headers: {
                        /** @description The path of the task */
                        Location?: string;
                        /** @description respond-async */
                        "Preference-Applied"?: string;
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["VideoTaskResponse"];
                    };
                };
                /** @description The body is not JSON, or there are fewer than two scenes */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The video would exceed the month's budget for the service, or yours: `budget` has the sums */
                402: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "the budget for bedrock for 2026-11 is 5.00 USD, of which 4.80 USD are spent or reserved, and this video costs 0.48 USD; wait for the next month, or ask the operator to raise it",
                         *       "budget": {
                         *         "service": "bedrock",
                         *         "is_yours": false,
                         *         "month": "2026-11",
                         *         "cap_usd": 5,
                         *         "spent_usd": 4.8,
                         *         "left_usd": 0.2,
                         *         "price_usd": 0.48
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description There is no such model: `detail` names those that there are */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Model \"sdxl\": there is no such model here; there are local, sd-turbo"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The body did not arrive in time */
                408: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Request body too slow: it did not arrive within 30 s"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The task was cancelled meanwhile */
                410: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Task img_abc123def456 has been cancelled"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The body is too large */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Request body too large: the limit is 1048576 bytes"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The body is declared as something other than JSON */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Unsupported Media Type: send the body as application/json, not text/plain"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description Fields of the body are wrong, or it matches none of the three bodies, or two of them */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ValidationErrorBody"];
                    };
                };
                /** @description The queue is full, or you have as many jobs waiting as the limit allows */
                429: {
                    headers: {
                        /** @description Seconds until a place is likely to be free */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "the queue is full (16 places); try again in about 5 s"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The job failed: `detail` says why */
                500: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Generation failed: internal error"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The service has failed, or its settings are incomplete: `detail` says why */
                502: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "bedrock: the security token is invalid (UnrecognizedClientException); the operator has to check the provider's key"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The model is not loaded yet, a service cannot be reached, the job failed for now, the server is shutting down, or its disk cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Model not loaded yet"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/generate-video/info": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Describes a video: its frames, its length, and the time to make it here. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["GenerateVideoRequest"];
                };
            };
            responses: {
                /** @description What the video will be */
                200: {
                    headers: {
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["VideoInfo"];
                    };
                };
                /** @description The body is not JSON */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Malformed JSON: trailing comma at line 2 column 1"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description There is no such model: `detail` names those that there are */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Model \"sdxl\": there is no such model here; there are local, sd-turbo"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The body did not arrive in time */
                408: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Request body too slow: it did not arrive within 30 s"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The body is too large */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Request body too large: the limit is 1048576 bytes"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The body is declared as something other than JSON */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "Unsupported Media Type: send the body as application/json, not text/plain"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description Fields of the request are wrong, a picture or the Idempotency-Key among them: `detail` names each */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ValidationErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/generation/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One generation, in its current state. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Its id */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description How it stands */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Generation"];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description There is no such generation, or it belongs to another key */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The server is shutting down, or its disk or its job store cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "The store of jobs cannot be used: the disk is full"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/generations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * All generations of the caller, newest first.
         * @description All that are kept, up to 1000; `limit` asks for fewer.
         */
        get: {
            parameters: {
                query?: {
                    /** @description How many at most: 1 to 1000 */
                    limit?: number;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The generations */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Generation"][];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The limit is invalid */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ValidationErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The server is shutting down, or its disk or its job store cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "The store of jobs cannot be used: the disk is full"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whether the service is up, and whether its model is loaded. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The service is up */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["HealthResponse"];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Metrics for Prometheus.
         * @description In OpenMetrics' text format if `Accept` names it, as Prometheus does; else in Prometheus' text format 0.0.4.
         */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The metrics */
                200: {
                    headers: {
                        /** @description Accept */
                        Vary?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "text/plain": string;
                        "application/openmetrics-text": string;
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description They could not be written */
                500: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The models of this machine.
         * @description Each with its state. A request selects one by its name in `model`. Adapters and ControlNets whose files cannot be used are not listed: the
         *     log names them at the start, and a request that chooses one is told why.
         */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The models */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Models"];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/models/{name}/load": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Loads a model.
         * @description Answers at once; `GET /models` shows the progress. If memory is short, the least recently used models are unloaded for it, once the
         *     running job has ended.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /**
                     * @description The model's name, as `GET /models` has it
                     * @example turbo
                     */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description It is loaded, or will be */
                202: {
                    headers: {
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Model"];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description There is no such model: `detail` names the known ones */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The device is lost */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/models/{name}/unload": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Unloads a model.
         * @description Answers at once. A job that runs with it ends first; a load is stopped. It is loaded again when a request needs it.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /**
                     * @description The model's name, as `GET /models` has it
                     * @example turbo
                     */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description It is unloaded, or will be */
                202: {
                    headers: {
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Model"];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description There is no such model: `detail` names the known ones */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/ready": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whether the server accepts work: the model is loaded, jobs and files can be stored, and the server is not shutting down. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The server accepts work */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ReadyResponse"];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description It does not: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ReadyResponse"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/cmd-flags": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The web UI's flags: none, because this server has settings of its own. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description An empty object */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": Record<string, never>;
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/embeddings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Embeddings: they are words of prompts, and not listed. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description None */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiEmbeddings"];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/extensions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Extensions: none. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description An empty list */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiName"][];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/extra-batch-images": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Resizes pictures. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["WebUiExtraImagesRequest"];
                };
            };
            responses: {
                /** @description The resized pictures */
                200: {
                    headers: {
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiExtraImages"];
                    };
                };
                /** @description The body is not JSON */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Malformed JSON: trailing comma at line 2 column 1",
                         *       "body": "",
                         *       "errors": "Malformed JSON: trailing comma at line 2 column 1"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The body did not arrive in time */
                408: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Request body too slow: it did not arrive within 30 s",
                         *       "body": "",
                         *       "errors": "Request body too slow: it did not arrive within 30 s"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The body is too large */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Request body too large: the limit is 1048576 bytes",
                         *       "body": "",
                         *       "errors": "Request body too large: the limit is 1048576 bytes"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The body is declared as something other than JSON */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Unsupported Media Type: send the body as application/json, not text/plain",
                         *       "body": "",
                         *       "errors": "Unsupported Media Type: send the body as application/json, not text/plain"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Fields of the request are wrong, a picture or the Idempotency-Key among them: `detail` names each */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The queue is full, or you have as many jobs waiting as the limit allows */
                429: {
                    headers: {
                        /** @description Seconds until a place is likely to be free */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "the queue is full (16 places); try again in about 5 s",
                         *       "body": "",
                         *       "errors": "the queue is full (16 places); try again in about 5 s"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The model is not loaded yet, a service cannot be reached, the job failed for now, the server is shutting down, or its disk cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Model not loaded yet",
                         *       "body": "",
                         *       "errors": "Model not loaded yet"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/extra-single-image": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Resizes a picture. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["WebUiExtraImageRequest"];
                };
            };
            responses: {
                /** @description The resized picture */
                200: {
                    headers: {
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiExtraImage"];
                    };
                };
                /** @description The body is not JSON */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Malformed JSON: trailing comma at line 2 column 1",
                         *       "body": "",
                         *       "errors": "Malformed JSON: trailing comma at line 2 column 1"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The body did not arrive in time */
                408: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Request body too slow: it did not arrive within 30 s",
                         *       "body": "",
                         *       "errors": "Request body too slow: it did not arrive within 30 s"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The body is too large */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Request body too large: the limit is 1048576 bytes",
                         *       "body": "",
                         *       "errors": "Request body too large: the limit is 1048576 bytes"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The body is declared as something other than JSON */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Unsupported Media Type: send the body as application/json, not text/plain",
                         *       "body": "",
                         *       "errors": "Unsupported Media Type: send the body as application/json, not text/plain"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Fields of the request are wrong, a picture or the Idempotency-Key among them: `detail` names each */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The queue is full, or you have as many jobs waiting as the limit allows */
                429: {
                    headers: {
                        /** @description Seconds until a place is likely to be free */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "the queue is full (16 places); try again in about 5 s",
                         *       "body": "",
                         *       "errors": "the queue is full (16 places); try again in about 5 s"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The model is not loaded yet, a service cannot be reached, the job failed for now, the server is shutting down, or its disk cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Model not loaded yet",
                         *       "body": "",
                         *       "errors": "Model not loaded yet"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/face-restorers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Models that restore faces: none. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description An empty list */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiName"][];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/hypernetworks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Hypernetworks: none. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description An empty list */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiName"][];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/img2img": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Makes pictures from a picture: all of it, or its masked part.
         * @description Waits, as `POST /sdapi/v1/txt2img` does.
         */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description A name for the request: if it is sent again under this name, it gets the same answer and makes nothing new */
                    "Idempotency-Key"?: string | null;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["WebUiImg2ImgRequest"];
                };
            };
            responses: {
                /** @description The pictures */
                200: {
                    headers: {
                        /** @description true if this request was answered before, or is being answered; else absent */
                        "Idempotent-Replayed"?: string;
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiImages"];
                    };
                };
                /** @description The body is not JSON */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Malformed JSON: trailing comma at line 2 column 1",
                         *       "body": "",
                         *       "errors": "Malformed JSON: trailing comma at line 2 column 1"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no such model: `detail` names those that there are */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Model \"sdxl\": there is no such model here; there are local, sd-turbo",
                         *       "body": "",
                         *       "errors": "Model \"sdxl\": there is no such model here; there are local, sd-turbo"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The body did not arrive in time */
                408: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Request body too slow: it did not arrive within 30 s",
                         *       "body": "",
                         *       "errors": "Request body too slow: it did not arrive within 30 s"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The task was cancelled meanwhile */
                410: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Task img_abc123def456 has been cancelled",
                         *       "body": "",
                         *       "errors": "Task img_abc123def456 has been cancelled"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The body is too large */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Request body too large: the limit is 1048576 bytes",
                         *       "body": "",
                         *       "errors": "Request body too large: the limit is 1048576 bytes"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The body is declared as something other than JSON */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Unsupported Media Type: send the body as application/json, not text/plain",
                         *       "body": "",
                         *       "errors": "Unsupported Media Type: send the body as application/json, not text/plain"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Fields of the request are wrong, a picture or the Idempotency-Key among them: `detail` names each */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The queue is full, or you have as many jobs waiting as the limit allows */
                429: {
                    headers: {
                        /** @description Seconds until a place is likely to be free */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "the queue is full (16 places); try again in about 5 s",
                         *       "body": "",
                         *       "errors": "the queue is full (16 places); try again in about 5 s"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The job failed: `detail` says why */
                500: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Generation failed: internal error",
                         *       "body": "",
                         *       "errors": "Generation failed: internal error"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The model is not loaded yet, a service cannot be reached, the job failed for now, the server is shutting down, or its disk cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Model not loaded yet",
                         *       "body": "",
                         *       "errors": "Model not loaded yet"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/interrogate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Says what a picture shows: not here. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no model that does it */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/interrupt": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Ends your oldest job of this API at its next step. Its request is answered with the pictures that are finished. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description An empty object, also without a job */
                200: {
                    headers: {
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": Record<string, never>;
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The server is shutting down, or its disk or its job store cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "The store of jobs cannot be used: the disk is full",
                         *       "body": "",
                         *       "errors": "The store of jobs cannot be used: the disk is full"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/latent-upscale-modes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What enlarges latents between the two passes of a picture. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The modes */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiName"][];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/loras": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The adapters that prompts may name.
         * @description Adapters whose files cannot be used are not listed.
         */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The adapters */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiLora"][];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/memory": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The memory of this server and its models. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The memory */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiMemory"];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/options": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Your options. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The options */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiOptions"];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        put?: never;
        /**
         * Changes some of your options.
         * @description Those that the web UI has and this server does not are accepted without effect, and named in the answer's `X-Ignored-Fields`. A model is
         *     loaded at once.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["WebUiOptions"];
                };
            };
            responses: {
                /** @description Changed: null */
                200: {
                    headers: {
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": boolean | null;
                    };
                };
                /** @description The body is not JSON */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Malformed JSON: trailing comma at line 2 column 1",
                         *       "body": "",
                         *       "errors": "Malformed JSON: trailing comma at line 2 column 1"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no such model: `detail` names those that there are */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Model \"sdxl\": there is no such model here; there are local, sd-turbo",
                         *       "body": "",
                         *       "errors": "Model \"sdxl\": there is no such model here; there are local, sd-turbo"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The body did not arrive in time */
                408: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Request body too slow: it did not arrive within 30 s",
                         *       "body": "",
                         *       "errors": "Request body too slow: it did not arrive within 30 s"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The body is too large */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Request body too large: the limit is 1048576 bytes",
                         *       "body": "",
                         *       "errors": "Request body too large: the limit is 1048576 bytes"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The body is declared as something other than JSON */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Unsupported Media Type: send the body as application/json, not text/plain",
                         *       "body": "",
                         *       "errors": "Unsupported Media Type: send the body as application/json, not text/plain"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Fields of the request are wrong, a picture or the Idempotency-Key among them: `detail` names each */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/png-info": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** How a picture was made, as its file says. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["WebUiPngInfoRequest"];
                };
            };
            responses: {
                /** @description What the file says */
                200: {
                    headers: {
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiPngInfo"];
                    };
                };
                /** @description The body is not JSON */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Malformed JSON: trailing comma at line 2 column 1",
                         *       "body": "",
                         *       "errors": "Malformed JSON: trailing comma at line 2 column 1"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The body did not arrive in time */
                408: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Request body too slow: it did not arrive within 30 s",
                         *       "body": "",
                         *       "errors": "Request body too slow: it did not arrive within 30 s"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The body is too large */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Request body too large: the limit is 1048576 bytes",
                         *       "body": "",
                         *       "errors": "Request body too large: the limit is 1048576 bytes"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The body is declared as something other than JSON */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Unsupported Media Type: send the body as application/json, not text/plain",
                         *       "body": "",
                         *       "errors": "Unsupported Media Type: send the body as application/json, not text/plain"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Fields of the request are wrong, a picture or the Idempotency-Key among them: `detail` names each */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many large bodies at once */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/progress": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How far your oldest job of this API is.
         * @description Previews are made from the first request that does not skip them, so that one has none yet.
         */
        get: {
            parameters: {
                query?: {
                    /**
                     * @description Whether the answer has no picture
                     * @example false
                     */
                    skip_current_image?: boolean;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The progress; 0 and a `job_count` of 0 without a job */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiProgress"];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The query is wrong */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/prompt-styles": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Prompt styles: none. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description An empty list */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiName"][];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/realesrgan-models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The networks of the operator's folder: files of ESRGAN and Real-ESRGAN, which have one architecture. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The networks */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiRealEsrgan"][];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/refresh-checkpoints": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Nothing to do: the models are those that the operator has set up. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description null */
                200: {
                    headers: {
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": boolean | null;
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/refresh-embeddings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Nothing to do: embeddings are read when a model is loaded. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description null */
                200: {
                    headers: {
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": boolean | null;
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/refresh-loras": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Nothing to do: the folder of adapters is read for each list and each request. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description null */
                200: {
                    headers: {
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": boolean | null;
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/refresh-vae": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Nothing to do: the autoencoders are those of the models. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description null */
                200: {
                    headers: {
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": boolean | null;
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/reload-checkpoint": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Loads your model.
         * @description Answers at once; `GET /sdapi/v1/progress` does not show the loading, `GET /models` does.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description An empty object */
                200: {
                    headers: {
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": Record<string, never>;
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The model is gone */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The device is lost */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/samplers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The samplers. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The samplers */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiSampler"][];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/schedulers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The schedules that samplers are combined with. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The schedules */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiScheduler"][];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/script-info": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Scripts in detail: none. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description An empty list */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiName"][];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/scripts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Scripts: none. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Empty lists */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiScripts"];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/sd-models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The models that make pictures. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The models */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiModel"][];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/sd-vae": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The autoencoders of the models. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The autoencoders */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiVae"][];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/skip": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Leaves out the picture that your oldest job of this API makes; the next one follows. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description null, also without a job */
                200: {
                    headers: {
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": boolean | null;
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The server is shutting down, or its disk or its job store cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "The store of jobs cannot be used: the disk is full",
                         *       "body": "",
                         *       "errors": "The store of jobs cannot be used: the disk is full"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/txt2img": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Makes pictures from a text, as AUTOMATIC1111's web UI does.
         * @description Waits until they are made. Hanging up cancels them; `POST /sdapi/v1/interrupt` ends them with those that are finished.
         */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description A name for the request: if it is sent again under this name, it gets the same answer and makes nothing new */
                    "Idempotency-Key"?: string | null;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["WebUiTxt2ImgRequest"];
                };
            };
            responses: {
                /** @description The pictures */
                200: {
                    headers: {
                        /** @description true if this request was answered before, or is being answered; else absent */
                        "Idempotent-Replayed"?: string;
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiImages"];
                    };
                };
                /** @description The body is not JSON */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Malformed JSON: trailing comma at line 2 column 1",
                         *       "body": "",
                         *       "errors": "Malformed JSON: trailing comma at line 2 column 1"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no such model: `detail` names those that there are */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Model \"sdxl\": there is no such model here; there are local, sd-turbo",
                         *       "body": "",
                         *       "errors": "Model \"sdxl\": there is no such model here; there are local, sd-turbo"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The body did not arrive in time */
                408: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Request body too slow: it did not arrive within 30 s",
                         *       "body": "",
                         *       "errors": "Request body too slow: it did not arrive within 30 s"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The task was cancelled meanwhile */
                410: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Task img_abc123def456 has been cancelled",
                         *       "body": "",
                         *       "errors": "Task img_abc123def456 has been cancelled"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The body is too large */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Request body too large: the limit is 1048576 bytes",
                         *       "body": "",
                         *       "errors": "Request body too large: the limit is 1048576 bytes"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The body is declared as something other than JSON */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Unsupported Media Type: send the body as application/json, not text/plain",
                         *       "body": "",
                         *       "errors": "Unsupported Media Type: send the body as application/json, not text/plain"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Fields of the request are wrong, a picture or the Idempotency-Key among them: `detail` names each */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The queue is full, or you have as many jobs waiting as the limit allows */
                429: {
                    headers: {
                        /** @description Seconds until a place is likely to be free */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "the queue is full (16 places); try again in about 5 s",
                         *       "body": "",
                         *       "errors": "the queue is full (16 places); try again in about 5 s"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The job failed: `detail` says why */
                500: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Generation failed: internal error",
                         *       "body": "",
                         *       "errors": "Generation failed: internal error"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The model is not loaded yet, a service cannot be reached, the job failed for now, the server is shutting down, or its disk cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": "",
                         *       "detail": "Model not loaded yet",
                         *       "body": "",
                         *       "errors": "Model not loaded yet"
                         *     }
                         */
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/unload-checkpoint": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Unloads your model once no job runs with it. The next request loads it again. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description An empty object */
                200: {
                    headers: {
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": Record<string, never>;
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The model is gone */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdapi/v1/upscalers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What enlarges pictures: the built-in ones, and the networks of the operator's folder. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The upscalers */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiUpscaler"][];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebUiErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/upload-character": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Uploads the picture of a character.
         * @description It is decoded and written again as a PNG file, under a new name.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "multipart/form-data": components["schemas"]["UploadCharacterRequest"];
                };
            };
            responses: {
                /** @description Where the picture is */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["UploadCharacterResponse"];
                    };
                };
                /** @description The form cannot be read, or the file is not a picture */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The body did not arrive in time */
                408: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The file is too large, or takes more space as a PNG file than one key may use */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The body is not multipart/form-data */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The form has no file named character */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ValidationErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The server is busy with other large requests, or its disk cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/uploads/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A character's picture.
         * @description Requires the key that uploaded it, or a signed link.
         */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /**
                     * @description The name in `imageUrl`
                     * @example character_5f0c6f5e-3f4b-4d0e-9d3c-0a5f9c1b2d3e.png
                     */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The picture */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "image/png": components["schemas"]["PngFile"];
                    };
                };
                /** @description A part of it */
                206: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "image/png": components["schemas"]["PngFile"];
                    };
                };
                /** @description The client already has this version: `If-None-Match` names its ETag */
                304: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description There is no such picture, or it belongs to another key */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description Precondition failed: `If-Match` does not match its ETag */
                412: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description The requested range is outside the file */
                416: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The server is shutting down, or its disk or its job store cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "The store of jobs cannot be used: the disk is full"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/images/edits": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Edits a picture: all of it, or its masked part.
         * @description Waits, as `POST /v1/images/generations` does.
         */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description A name for the request: if it is sent again under this name, it gets the same answer and makes nothing new */
                    "Idempotency-Key"?: string | null;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["OpenAiImageEditRequest"];
                    "multipart/form-data": components["schemas"]["OpenAiImageEditForm"];
                };
            };
            responses: {
                /** @description The pictures; with `stream`, events with partial and finished ones, or with an `error` */
                200: {
                    headers: {
                        /** @description true if this request was answered before, or is being answered; else absent */
                        "Idempotent-Replayed"?: string;
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiImages"];
                        "text/event-stream": components["schemas"]["OpenAiImageEvent"];
                    };
                };
                /** @description The body is malformed, or fields of the request are wrong: the message names each */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Malformed JSON: trailing comma at line 2 column 1",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description There is no such model: `detail` names those that there are */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Model \"sdxl\": there is no such model here; there are local, sd-turbo",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The body did not arrive in time */
                408: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Request body too slow: it did not arrive within 30 s",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The task was cancelled meanwhile */
                410: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Task img_abc123def456 has been cancelled",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The body is too large */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Request body too large: the limit is 1048576 bytes",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The body is declared as something other than JSON */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Unsupported Media Type: send the body as application/json, not text/plain",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The queue is full, or you have as many jobs waiting as the limit allows */
                429: {
                    headers: {
                        /** @description Seconds until a place is likely to be free */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "the queue is full (16 places); try again in about 5 s",
                         *         "type": "rate_limit_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The job failed: `detail` says why */
                500: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Generation failed: internal error",
                         *         "type": "server_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The model is not loaded yet, a service cannot be reached, the job failed for now, the server is shutting down, or its disk cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Model not loaded yet",
                         *         "type": "server_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/images/generations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Makes pictures from a text, as OpenAI's API does.
         * @description Waits until they are made. Hanging up cancels them; a client that says by `x-stainless-retry-count` that it sends a lost request again
         *     gets the pictures of its first one.
         */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description A name for the request: if it is sent again under this name, it gets the same answer and makes nothing new */
                    "Idempotency-Key"?: string | null;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["OpenAiImageRequest"];
                };
            };
            responses: {
                /** @description The pictures; with `stream`, events with partial and finished ones, or with an `error` */
                200: {
                    headers: {
                        /** @description true if this request was answered before, or is being answered; else absent */
                        "Idempotent-Replayed"?: string;
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiImages"];
                        "text/event-stream": components["schemas"]["OpenAiImageEvent"];
                    };
                };
                /** @description The body is malformed, or fields of the request are wrong: the message names each */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Malformed JSON: trailing comma at line 2 column 1",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description There is no such model: `detail` names those that there are */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Model \"sdxl\": there is no such model here; there are local, sd-turbo",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The body did not arrive in time */
                408: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Request body too slow: it did not arrive within 30 s",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The task was cancelled meanwhile */
                410: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Task img_abc123def456 has been cancelled",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The body is too large */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Request body too large: the limit is 1048576 bytes",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The body is declared as something other than JSON */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Unsupported Media Type: send the body as application/json, not text/plain",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The queue is full, or you have as many jobs waiting as the limit allows */
                429: {
                    headers: {
                        /** @description Seconds until a place is likely to be free */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "the queue is full (16 places); try again in about 5 s",
                         *         "type": "rate_limit_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The job failed: `detail` says why */
                500: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Generation failed: internal error",
                         *         "type": "server_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The model is not loaded yet, a service cannot be reached, the job failed for now, the server is shutting down, or its disk cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Model not loaded yet",
                         *         "type": "server_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/images/upscale": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Enlarges a picture with an upscaler.
         * @description Waits until it is made, as `POST /v1/images/generations` does. Needs no other model to be loaded.
         */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description A name for the request: if it is sent again under this name, it gets the same answer and makes nothing new */
                    "Idempotency-Key"?: string | null;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["OpenAiImageUpscaleRequest"];
                    "multipart/form-data": components["schemas"]["OpenAiImageUpscaleForm"];
                };
            };
            responses: {
                /** @description The enlarged picture */
                200: {
                    headers: {
                        /** @description true if this request was answered before, or is being answered; else absent */
                        "Idempotent-Replayed"?: string;
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiUpscaledImages"];
                    };
                };
                /** @description The body is malformed, or fields of the request are wrong: the message names each */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Malformed JSON: trailing comma at line 2 column 1",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description There is no such model: `detail` names those that there are */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Model \"sdxl\": there is no such model here; there are local, sd-turbo",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The body did not arrive in time */
                408: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Request body too slow: it did not arrive within 30 s",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The task was cancelled meanwhile */
                410: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Task img_abc123def456 has been cancelled",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The body is too large */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Request body too large: the limit is 1048576 bytes",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The body is declared as something other than JSON */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Unsupported Media Type: send the body as application/json, not text/plain",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The queue is full, or you have as many jobs waiting as the limit allows */
                429: {
                    headers: {
                        /** @description Seconds until a place is likely to be free */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "the queue is full (16 places); try again in about 5 s",
                         *         "type": "rate_limit_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The job failed: `detail` says why */
                500: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Generation failed: internal error",
                         *         "type": "server_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The model is not loaded yet, a service cannot be reached, the job failed for now, the server is shutting down, or its disk cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Model not loaded yet",
                         *         "type": "server_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/images/variations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Makes variations of a picture.
         * @description Waits, as `POST /v1/images/generations` does.
         */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description A name for the request: if it is sent again under this name, it gets the same answer and makes nothing new */
                    "Idempotency-Key"?: string | null;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["OpenAiImageVariationRequest"];
                    "multipart/form-data": components["schemas"]["OpenAiImageVariationForm"];
                };
            };
            responses: {
                /** @description The pictures */
                200: {
                    headers: {
                        /** @description true if this request was answered before, or is being answered; else absent */
                        "Idempotent-Replayed"?: string;
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiImages"];
                    };
                };
                /** @description The body is malformed, or fields of the request are wrong: the message names each */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Malformed JSON: trailing comma at line 2 column 1",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description There is no such model: `detail` names those that there are */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Model \"sdxl\": there is no such model here; there are local, sd-turbo",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The body did not arrive in time */
                408: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Request body too slow: it did not arrive within 30 s",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The task was cancelled meanwhile */
                410: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Task img_abc123def456 has been cancelled",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The body is too large */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Request body too large: the limit is 1048576 bytes",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The body is declared as something other than JSON */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Unsupported Media Type: send the body as application/json, not text/plain",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The queue is full, or you have as many jobs waiting as the limit allows */
                429: {
                    headers: {
                        /** @description Seconds until a place is likely to be free */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "the queue is full (16 places); try again in about 5 s",
                         *         "type": "rate_limit_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The job failed: `detail` says why */
                500: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Generation failed: internal error",
                         *         "type": "server_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The model is not loaded yet, a service cannot be reached, the job failed for now, the server is shutting down, or its disk cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Model not loaded yet",
                         *         "type": "server_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The models that requests may name. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The models */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiModels"];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/models/{model}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A model that requests may name. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /**
                     * @description The model's name, as `GET /v1/models` has it
                     * @example turbo
                     */
                    model: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The model */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiModel"];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description There is no such model: the message names the known ones */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/videos": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Your videos, newest first. */
        get: {
            parameters: {
                query?: {
                    /** @description The maximum number of videos. */
                    limit?: number;
                    /** @description Only videos after the one with this id: `last_id` of the previous page. */
                    after?: string;
                    /** @description "desc" for the newest first, or "asc". */
                    order?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description A page of the videos */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiVideos"];
                    };
                };
                /** @description The query is wrong: the message names each parameter */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description There is no video with the id in `after` */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The server is shutting down, or its disk or its job store cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "The store of jobs cannot be used: the disk is full",
                         *         "type": "server_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
            };
        };
        put?: never;
        /**
         * Makes a video, as OpenAI's API does.
         * @description Answers at once; poll `GET /v1/videos/{id}`, which says when to ask again in `openai-poll-after-ms`. A client that says by
         *     `x-stainless-retry-count` that it sends a lost request again gets the video of its first one.
         */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description A name for the request: if it is sent again under this name, it gets the same answer and makes nothing new */
                    "Idempotency-Key"?: string | null;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["OpenAiVideoRequest"];
                    "multipart/form-data": components["schemas"]["OpenAiVideoForm"];
                };
            };
            responses: {
                /** @description The video is accepted */
                200: {
                    headers: {
                        /** @description true if this request was answered before; else absent */
                        "Idempotent-Replayed"?: string;
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        /** @description When to ask for it again; absent once it has ended */
                        "openai-poll-after-ms"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiVideo"];
                    };
                };
                /** @description The body is malformed, or fields of the request are wrong: the message names each */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Malformed JSON: trailing comma at line 2 column 1",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The video would exceed the month's budget for the service, or yours: `budget` has the sums */
                402: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "the budget for bedrock for 2026-11 is 5.00 USD, of which 4.80 USD are spent or reserved, and this video costs 0.48 USD; wait for the next month, or ask the operator to raise it",
                         *         "type": "insufficient_quota",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description There is no such model: `detail` names those that there are */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Model \"sdxl\": there is no such model here; there are local, sd-turbo",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The body did not arrive in time */
                408: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Request body too slow: it did not arrive within 30 s",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The body is too large */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Request body too large: the limit is 1048576 bytes",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The body is declared as something other than JSON */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Unsupported Media Type: send the body as application/json, not text/plain",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The queue is full, or you have as many jobs waiting as the limit allows */
                429: {
                    headers: {
                        /** @description Seconds until a place is likely to be free */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "the queue is full (16 places); try again in about 5 s",
                         *         "type": "rate_limit_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The service has failed, or its settings are incomplete: `detail` says why */
                502: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "bedrock: the security token is invalid (UnrecognizedClientException); the operator has to check the provider's key",
                         *         "type": "server_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The model is not loaded yet, a service cannot be reached, the job failed for now, the server is shutting down, or its disk cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Model not loaded yet",
                         *         "type": "server_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/videos/characters": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Refused: this server keeps no characters. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Always: the message says what to do instead */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/videos/characters/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** There are none. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description A character's id */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description Always: this server keeps no characters */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/videos/edits": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Refused: no model here edits videos. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Always: the message says what to do instead */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/videos/extensions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Refused: no model here extends videos. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Always: the message says what to do instead */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/videos/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A video in its current state. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /**
                     * @description The video's id
                     * @example video_abc123def456
                     */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The video, also if it failed */
                200: {
                    headers: {
                        /** @description When to ask again; absent once it has ended */
                        "openai-poll-after-ms"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiVideo"];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description There is no such video, or it belongs to another key */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The server is shutting down, or its disk or its job store cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "The store of jobs cannot be used: the disk is full",
                         *         "type": "server_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        /**
         * Deletes a video and its file; one that is not done is cancelled first.
         * @description Answers once it is gone: a running one stops at its next step.
         */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /**
                     * @description The video's id
                     * @example video_abc123def456
                     */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description It is deleted */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiVideoDeleted"];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description There is no such video, or it belongs to another key */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The server is shutting down, or its disk or its job store cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "The store of jobs cannot be used: the disk is full",
                         *         "type": "server_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/videos/{id}/content": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A video's file: the video itself, its first frame, or a sheet of its frames. */
        get: {
            parameters: {
                query?: {
                    /** @description "video" (MP4), "thumbnail" (WebP) or "spritesheet" (JPEG) */
                    variant?: string;
                };
                header?: never;
                path: {
                    /**
                     * @description The video's id
                     * @example video_abc123def456
                     */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The file */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "video/mp4": components["schemas"]["Mp4File"];
                        "image/webp": components["schemas"]["WebPFile"];
                        "image/jpeg": components["schemas"]["JpegFile"];
                    };
                };
                /** @description The requested part */
                206: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "video/mp4": components["schemas"]["Mp4File"];
                        "image/webp": components["schemas"]["WebPFile"];
                        "image/jpeg": components["schemas"]["JpegFile"];
                    };
                };
                /** @description The client already has this version: `If-None-Match` names its ETag */
                304: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description The video is not ready, or has failed; or there is no such variant */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description There is no such video, or it belongs to another key */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description It was removed, for its age or to make room */
                410: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description Precondition failed: `If-Match` does not match its ETag */
                412: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description The requested range is outside the file */
                416: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The frames of the video cannot be read */
                500: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The server is shutting down, or its disk or its job store cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "The store of jobs cannot be used: the disk is full",
                         *         "type": "server_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/videos/{id}/remix": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Makes a video anew with another prompt.
         * @description Size, length, seed and everything else stay. A video that began with a picture is made from its own first frame, which the prompt
         *     repaints.
         */
        post: {
            parameters: {
                query?: never;
                header?: {
                    /** @description A name for the request: if it is sent again under this name, it gets the same answer and makes nothing new */
                    "Idempotency-Key"?: string | null;
                };
                path: {
                    /**
                     * @description The video's id
                     * @example video_abc123def456
                     */
                    id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["OpenAiRemixRequest"];
                };
            };
            responses: {
                /** @description The video is accepted */
                200: {
                    headers: {
                        /** @description true if this request was answered before; else absent */
                        "Idempotent-Replayed"?: string;
                        /** @description Unknown keys of the body, each with the field that was probably meant (an RFC 9651 list); else absent */
                        "X-Ignored-Fields"?: string;
                        /** @description Ways in which the request may not do what it seems to; else absent */
                        "X-Remarks"?: string;
                        /** @description When to ask for it again; absent once it has ended */
                        "openai-poll-after-ms"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiVideo"];
                    };
                };
                /** @description The body is malformed, or fields of the request are wrong: the message names each */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Malformed JSON: trailing comma at line 2 column 1",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The video would exceed the month's budget for the service, or yours: `budget` has the sums */
                402: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "the budget for bedrock for 2026-11 is 5.00 USD, of which 4.80 USD are spent or reserved, and this video costs 0.48 USD; wait for the next month, or ask the operator to raise it",
                         *         "type": "insufficient_quota",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description There is no such video, or it belongs to another key */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The body did not arrive in time */
                408: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Request body too slow: it did not arrive within 30 s",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The body is too large */
                413: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Request body too large: the limit is 1048576 bytes",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The body is declared as something other than JSON */
                415: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Unsupported Media Type: send the body as application/json, not text/plain",
                         *         "type": "invalid_request_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The queue is full, or you have as many jobs waiting as the limit allows */
                429: {
                    headers: {
                        /** @description Seconds until a place is likely to be free */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "the queue is full (16 places); try again in about 5 s",
                         *         "type": "rate_limit_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The service has failed, or its settings are incomplete: `detail` says why */
                502: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "bedrock: the security token is invalid (UnrecognizedClientException); the operator has to check the provider's key",
                         *         "type": "server_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
                /** @description The model is not loaded yet, a service cannot be reached, the job failed for now, the server is shutting down, or its disk cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "error": {
                         *         "message": "Model not loaded yet",
                         *         "type": "server_error",
                         *         "param": null,
                         *         "code": null
                         *       }
                         *     }
                         */
                        "application/json": components["schemas"]["OpenAiErrorBody"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/video-status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The state of a video from a text. */
        get: {
            parameters: {
                query: {
                    /** @description The id that `POST /generate-video` gave: the server's own, or Amazon's ARN */
                    job_id: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The state of the video */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TextToVideoStatus"];
                    };
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description There is no such job, or it belongs to another key */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The id is missing */
                422: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ValidationErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The server is shutting down, or its disk or its job store cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "The store of jobs cannot be used: the disk is full"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/videos/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A job's video.
         * @description Requires the key that made it, or a signed link. Ranges are served, so that a browser can seek.
         */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /**
                     * @description video_ID.mp4, as in `videoUrl`
                     * @example video_vid_0123456789ab.mp4
                     */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The video */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "video/mp4": components["schemas"]["Mp4File"];
                    };
                };
                /** @description A part of it */
                206: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "video/mp4": components["schemas"]["Mp4File"];
                    };
                };
                /** @description The client already has this version: `If-None-Match` names its ETag */
                304: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description The request's host cannot be understood */
                400: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description There is no valid key in the request */
                401: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description A page of another site sent the request, or a signed link has expired */
                403: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description There is no such video, or it belongs to another key */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description It is no longer kept */
                410: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description Precondition failed: `If-Match` does not match its ETag */
                412: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description The requested range is outside the file */
                416: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description The request names a host that is not this server's */
                421: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description Too many requests with this key, per minute or at once */
                429: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
                /** @description The server is shutting down, or its disk or its job store cannot be used: `detail` says why */
                503: {
                    headers: {
                        /** @description Seconds until a retry is worthwhile; absent if unknown */
                        "Retry-After"?: number;
                        [name: string]: unknown;
                    };
                    content: {
                        /**
                         * @example {
                         *       "detail": "The store of jobs cannot be used: the disk is full"
                         *     }
                         */
                        "application/json": components["schemas"]["ErrorBody"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * @description The body of `POST /animate`. Other programs' names of the fields are accepted; unknown keys are ignored, and named in the answer's `X-Ignored-Fields`.
         * @example {
         *       "image": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAIAAAACAAgMAAAC+UIlYAAAADFBMVEXypl4wXJbsUDz/7r4yPsOfAAABKUlEQVR42u2VMXLDIBBFv8ClZ+RzpNIBPGMfIvZ5fJ5UuUEocoBUqXMEPKMukn+KgITsxZZgxhXbsBJfb9llQUCxYsWKPcOM9FItIdhsQpdN4GxCTYrh6AtBcvAlQg0AW4ngCrEjSWlBLrAmSXq1EGI9GSYCDQBowoeFhfrPjc5MhKC90wgEOybh01CxJLyj5MnYZukwtJ6XpnrU2EsJTTZhnU3Q2YTbQlwLmryjR7JD7fuhS1ukRuvdNo0A03vvK/bNzi0yIc3x+hizlAjtZKgA4G0i+P4ww4wbXk6h4FhbAP0qCPETzl9wBoDPe5u1Afq986sDgOo1mP19T+go3rnz1U2jmaSmtfEbfSahi/9V1DXXJp4sEz1aDwnVYWlXF0ERFEERPE/wB6qZcyzltyjLAAAAAElFTkSuQmCC",
         *       "motion_bucket_id": 127,
         *       "seed": 42
         *     }
         */
        AnimateRequest: {
            /**
             * Format: int64
             * @description The frame rate that the model is conditioned on.
             * @default 7
             */
            conditioning_fps: number | null;
            /**
             * Format: int64
             * @description Frames decoded at once: fewer need less memory, and flicker more. All if absent.
             */
            decode_chunk_size?: number | null;
            /**
             * @description Frames per second. The model is conditioned on the same rate unless `conditioning_fps` is set.
             * @example 24
             * @example 30000/1001
             */
            fps?: number | string | null;
            /**
             * Format: int64
             * @description Height in pixels, a multiple of 8; the model's own if absent.
             */
            height?: number | null;
            /** @description The picture: base64 of a PNG, JPEG or WebP file, or a data URL. */
            image: string;
            /**
             * Format: double
             * @description Guidance of the last frame.
             * @default 3
             */
            max_guidance_scale: number | null;
            /**
             * Format: double
             * @description Guidance of the first frame.
             * @default 1
             */
            min_guidance_scale: number | null;
            /** @description The model whose motion model is used, by a name that `GET /models` lists; the default one if absent. An unknown name is 404 with the known ones. */
            model?: string | null;
            /**
             * Format: int64
             * @description How much moves: from hardly anything (1) to a lot (255).
             * @default 127
             */
            motion_bucket_id: number | null;
            /**
             * Format: double
             * @description Noise added to the picture first: with more of it, the video departs further from the picture.
             * @default 0.02
             */
            noise_aug_strength: number | null;
            /**
             * Format: int64
             * @description Frames that the model makes in one run; the number that it was trained for if absent.
             */
            num_frames?: number | null;
            /**
             * Format: int64
             * @description Denoising steps.
             * @default 25
             */
            num_inference_steps: number | null;
            /**
             * Format: int64
             * @description The noise's seed. Drawn at random if absent or -1; the answer tells which.
             */
            seed?: number | null;
            /**
             * Format: int64
             * @description Width in pixels, a multiple of 8; the model's own if absent.
             */
            width?: number | null;
        };
        /** @description The body of `POST /generate-video`: the keys tell which of the three it is. */
        AnyVideoRequest: components["schemas"]["GenerateVideoRequest"] | components["schemas"]["CharacterToVideoRequest"] | components["schemas"]["TextToVideoRequest"];
        /** @description The state of a month's budget for services that the request would exceed. */
        Budget: {
            /**
             * Format: double
             * @description The most that may be spent in the month, in US dollars.
             * @example 5
             */
            cap_usd: number;
            /**
             * @description Whether it is your own budget for all services, rather than the service's.
             * @example false
             */
            is_yours: boolean;
            /**
             * Format: double
             * @description The remaining sum.
             * @example 0.2
             */
            left_usd: number;
            /**
             * @description The month, in UTC.
             * @example 2026-11
             */
            month: string;
            /**
             * Format: double
             * @description The price of the video.
             * @example 0.48
             */
            price_usd: number;
            /**
             * @description The service that the request is for.
             * @example bedrock
             */
            service: string;
            /**
             * Format: double
             * @description The sum that is spent or reserved for videos in progress.
             * @example 4.8
             */
            spent_usd: number;
        };
        /** @description The answer of `DELETE /api/v1/tasks/{id}`. */
        CancelResponse: {
            /**
             * @description A sentence that says that it has been cancelled.
             * @example Task vid_abc123def456 has been cancelled
             */
            message: string;
            /**
             * @description True.
             * @example true
             */
            success: boolean;
            /**
             * @description The task's id.
             * @example vid_abc123def456
             */
            task_id: string;
        };
        /**
         * @description The body of `POST /generate-video` for a character in motion. Unknown keys are ignored, and named in the answer.
         * @example {
         *       "characterImageUrl": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAIAAAACAAgMAAAC+UIlYAAAADFBMVEXypl4wXJbsUDz/7r4yPsOfAAABKUlEQVR42u2VMXLDIBBFv8ClZ+RzpNIBPGMfIvZ5fJ5UuUEocoBUqXMEPKMukn+KgITsxZZgxhXbsBJfb9llQUCxYsWKPcOM9FItIdhsQpdN4GxCTYrh6AtBcvAlQg0AW4ngCrEjSWlBLrAmSXq1EGI9GSYCDQBowoeFhfrPjc5MhKC90wgEOybh01CxJLyj5MnYZukwtJ6XpnrU2EsJTTZhnU3Q2YTbQlwLmryjR7JD7fuhS1ukRuvdNo0A03vvK/bNzi0yIc3x+hizlAjtZKgA4G0i+P4ww4wbXk6h4FhbAP0qCPETzl9wBoDPe5u1Afq986sDgOo1mP19T+go3rnz1U2jmaSmtfEbfSahi/9V1DXXJp4sEz1aDwnVYWlXF0ERFEERPE/wB6qZcyzltyjLAAAAAElFTkSuQmCC",
         *       "script": "The boat sails away at sunset",
         *       "duration": 5,
         *       "quality": "768"
         *     }
         */
        CharacterToVideoRequest: {
            /** @description Where to post the job's result, signed as Standard Webhooks: a public http or https address. */
            callback_url?: string | null;
            /** @description The picture: a path that `POST /upload-character` gave, an http or https address of a PNG, JPEG or WebP file, or, for a small one, a data URL. */
            characterImageUrl: string;
            /**
             * Format: int64
             * @description How long the video lasts, in seconds.
             * @default 5
             */
            duration: number | null;
            /** @description What makes it: "local", a name that `GET /models` lists, a service's name, or a service's and a model's; an unknown name is 404 with the known ones. Absent: as the operator has set it. */
            model?: string | null;
            /**
             * @description The longer side of the video, in pixels, as a text: 256 to 1024. The motion model works at that size as far as it goes.
             * @default 768
             */
            quality: string | null;
            /** @description What happens. It guides how the picture is repainted before it moves; the answer's `scriptUsed` says whether. */
            script: string;
            /**
             * Format: int64
             * @description The noise's seed. Drawn at random if absent or -1.
             */
            seed?: number | null;
        };
        /** @description A ControlNet, and the picture that it makes the result follow. */
        ControlNet: {
            /**
             * Format: double
             * @description The share of the steps after which it no longer acts. From `start` to `end` there must be a whole step.
             * @default 1
             */
            end: number | null;
            /**
             * Format: double
             * @description For `canny`: what some pixel of a line exceeds.
             * @default 200
             */
            high_threshold: number | null;
            /** @description The control image (edges, depth, a pose, as the ControlNet was trained on), or with a `preprocessor` the picture that it is made from: an http or https address, base64 of a PNG, JPEG or WebP file, or a data URL. It is stretched to the result's size. */
            image: string;
            /**
             * Format: double
             * @description For `canny`: what every pixel of a line exceeds.
             * @default 100
             */
            low_threshold: number | null;
            /** @description Its name: one that `GET /models` lists in `controlnets`. */
            name: string;
            /**
             * @description What makes the control image from the picture: `none`, or `canny` (its edges, as OpenCV finds them).
             * @default none
             * @enum {string|null}
             */
            preprocessor: "none" | "canny" | null;
            /**
             * Format: double
             * @description The share of the steps before it acts.
             * @default 0
             */
            start: number | null;
            /**
             * Format: double
             * @description How strongly it acts; at 0 it is left out.
             * @default 1
             */
            weight: number | null;
        };
        /** @description The paths of this service. */
        Endpoints: {
            /**
             * @description Sets an image in motion, and calls back.
             * @example Sets an image in motion, and tells the callback when it is done
             */
            "/api/v1/i2v": string;
            /**
             * @description Sets a picture in motion.
             * @example /animate
             */
            animate: string;
            /**
             * @description The documentation, to try out.
             * @example /docs
             */
            docs: string;
            /**
             * @description Makes a picture.
             * @example /generate
             */
            generate_image: string;
            /**
             * @description Makes a video: of scenes, of a character, or from a text.
             * @example /generate-video
             */
            generate_video: string;
            /**
             * @description Lists the videos of characters; one of them is at `/generation/{id}`.
             * @example /generations
             */
            generations: string;
            /**
             * @description Whether the service is up.
             * @example /health
             */
            health: string;
            /**
             * @description Metrics for Prometheus.
             * @example /metrics
             */
            metrics: string;
            /**
             * @description The prefix of the API that is compatible with OpenAI's.
             * @example /v1
             */
            openai_compatible: string;
            /**
             * @description The documentation, for programs.
             * @example /openapi.json
             */
            openapi: string;
            /**
             * @description Whether the service accepts work.
             * @example /ready
             */
            ready: string;
            /**
             * @description The documentation, to read.
             * @example /redoc
             */
            redoc: string;
            /**
             * @description The prefix of the Tasks API.
             * @example /api/v1
             */
            rest_api: string;
            /**
             * @description Uploads the picture of a character.
             * @example /upload-character
             */
            upload_character: string;
            /**
             * @description What services have cost.
             * @example /api/v1/usage
             */
            usage: string;
            /**
             * @description Describes a video of scenes without making it.
             * @example /generate-video/info
             */
            video_info: string;
            /**
             * @description The state of a video from a text.
             * @example /video-status
             */
            video_status: string;
        };
        /** @description An error in one sentence. */
        ErrorBody: {
            budget?: components["schemas"]["Budget"] | null;
            /**
             * @description The sentence.
             * @example Not Found
             */
            detail: string;
        };
        /**
         * @description The body of `POST /generate`. Other programs' names of a field are accepted too (`steps`, `cfg_scale`, `sampler_name`, ..); unknown keys are ignored, and named in the answer's `X-Ignored-Fields`.
         * @example {
         *       "prompt": "a red circle on a blue background",
         *       "num_inference_steps": 25,
         *       "return_base64": false
         *     }
         */
        GenerateRequest: {
            /**
             * Format: double
             * @description For Stable Diffusion XL's refiner; other models refuse it. The score of the picture's looks; 6 if absent.
             */
            aesthetic_score?: number | null;
            /** @description ControlNets: pictures whose edges, depth or poses the result follows. Several are added up. */
            controlnets?: components["schemas"]["ControlNet"][] | null;
            /** @description For Stable Diffusion XL models; others refuse it. The declared position of the picture in the original, as `TOP,LEFT`; `0,0` if absent, which keeps subjects in the middle. */
            crops_coords_top_left?: string | null;
            /**
             * Format: double
             * @description The share of fresh noise in a step, for the schedulers that use it: `ddim` and `tcd` (0 if absent), and `euler-ancestral` (1 if absent). With others it has no effect, and the answer's remarks say so.
             */
            eta?: number | null;
            /**
             * @description Whether ControlNets act on the prompt's half of the guidance only, so that the result follows them without a prompt; a `guidance_scale` of 3 to 5 suits it.
             * @default false
             */
            guess_mode: boolean | null;
            /**
             * Format: double
             * @description Classifier-free guidance: how closely the picture follows the prompt; 1 or less turns it off. If absent, what suits the model, else 7.5.
             * @default 7.5
             */
            guidance_scale: number | null;
            /**
             * Format: int64
             * @description Height in pixels, a multiple of 8; the model's own if absent. Width x height is at most 2097152.
             */
            height?: number | null;
            /** @description A second pass at a larger size ("hires fix"): the picture is enlarged, then repainted. Not with a picture to start from, or a refiner. */
            hires?: null | components["schemas"]["Hires"];
            /** @description LoRAs and other adapters that change the model for this picture; the model's usual ones if absent, none if empty. Tags in the prompt (`<lora:ink:0.8>`) add to them. */
            loras?: (components["schemas"]["Lora"] | string)[] | null;
            /** @description Which model makes it, by a name that `GET /models` lists; the default one if absent. One that is not loaded is loaded first. An unknown name is 404 with the known ones. */
            model?: string | null;
            /**
             * Format: double
             * @description For Stable Diffusion XL's refiner; other models refuse it. The score for the negative prompt; 2.5 if absent.
             */
            negative_aesthetic_score?: number | null;
            /** @description `crops_coords_top_left` for the negative prompt; the prompt's if absent. */
            negative_crops_coords_top_left?: string | null;
            /** @description `original_size` for the negative prompt; the prompt's if absent. */
            negative_original_size?: string | null;
            /** @description What the picture should not show. */
            negative_prompt?: string | null;
            /** @description What the second text encoder of a Stable Diffusion XL model reads instead of the negative prompt; other models refuse it. */
            negative_prompt_2?: string | null;
            /** @description `target_size` for the negative prompt; the prompt's if absent. */
            negative_target_size?: string | null;
            /**
             * Format: int64
             * @description Denoising steps: more steps are better and slower. If absent, as many as suit the model, else 25.
             * @default 25
             */
            num_inference_steps: number | null;
            /** @description For Stable Diffusion XL models; others refuse it. The declared size of the picture before it was scaled, as `1024x768`: small ones make blurred pictures. The picture's own if absent. */
            original_size?: string | null;
            /** @description What the picture shows. The model reads its first 75 tokens; the answer's `X-Prompt-Truncated` says if there are more. */
            prompt: string;
            /** @description What the second text encoder of a Stable Diffusion XL model reads instead of the prompt; other models refuse it. */
            prompt_2?: string | null;
            /**
             * @description The language of `prompt` and `negative_prompt`: `plain` (every character is text), `a1111` (AUTOMATIC1111's weights, as `(word:1.2)` and `[word]`, `BREAK`, and prompts of any length), or `compel` (compel's weights, as `word++` and `(a text)1.2`, `("one", "another").blend(1, 0.5)`, `.and()`, and prompts of any length). The model's own if absent, else `plain`.
             * @enum {string|null}
             */
            prompt_syntax?: "plain" | "a1111" | "compel" | null;
            /** @description The model that ends the picture: Stable Diffusion XL's refiner, by a name that `GET /models` lists. It is loaded when its part begins, and decodes the picture. LoRAs and ControlNets change the part before it only. */
            refiner?: string | null;
            /**
             * Format: double
             * @description The share of training's timesteps after which the refiner takes over; only with `refiner`.
             * @default 0.8
             */
            refiner_switch: number | null;
            /**
             * @description Answer with JSON that contains the picture as base64, instead of with the PNG itself.
             * @default false
             */
            return_base64: boolean | null;
            /**
             * @description The scheduler; the model's own if absent. The names of AUTOMATIC1111 ("DPM++ 2M Karras"), ComfyUI and diffusers are accepted too.
             * @enum {string|null}
             */
            scheduler?: "ddim" | "ddpm" | "pndm" | "lms" | "lms-karras" | "lms-exponential" | "lms-beta" | "euler" | "euler-karras" | "euler-exponential" | "euler-beta" | "euler-ancestral" | "heun" | "heun-karras" | "heun-exponential" | "heun-beta" | "dpmpp-2m" | "dpmpp-2m-karras" | "dpmpp-2m-exponential" | "dpmpp-2m-beta" | "dpmpp-2m-sde" | "dpmpp-2m-sde-karras" | "dpmpp-2m-sde-exponential" | "dpmpp-2m-sde-beta" | "dpmpp-2s" | "dpmpp-2s-karras" | "dpmpp-2s-exponential" | "dpmpp-2s-beta" | "unipc" | "unipc-karras" | "unipc-exponential" | "unipc-beta" | "deis" | "deis-karras" | "deis-exponential" | "deis-beta" | "lcm" | "tcd" | null;
            /**
             * Format: int64
             * @description The noise's seed: the same request with the same seed gives the same bytes. Drawn at random if absent or -1; the answer tells which.
             */
            seed?: number | null;
            /** @description For Stable Diffusion XL models; others refuse it, and so does its refiner. The declared size of the picture, as `1024x768`; its own if absent. */
            target_size?: string | null;
            /**
             * @description The autoencoder that makes the picture of the result: `full`, or `tiny` (TAESD: much faster, and less exact), where the model has one. The operator's choice for the model if absent; `GET /models` lists what each has.
             * @enum {string|null}
             */
            vae?: "full" | "tiny" | null;
            /**
             * Format: int64
             * @description Width in pixels, a multiple of 8; the model's own if absent. Width x height is at most 2097152.
             */
            width?: number | null;
        };
        /** @description The answer of `POST /generate` if `return_base64` is true. */
        GenerateResponse: {
            /**
             * @description "png".
             * @example png
             */
            format: string;
            /**
             * Format: int32
             * @description The picture's height in pixels.
             * @example 128
             */
            height: number;
            /** @description Unknown keys of the body; absent if there are none. */
            ignored_fields?: components["schemas"]["IgnoredField"][];
            /**
             * @description The PNG file, base64 with padding.
             * @example iVBORw0KGgoAAAANSUhEUgAA...
             */
            image_base64: string;
            /**
             * @description The model that made it.
             * @example nano-sd (embedded)
             */
            model: string;
            /**
             * @description How it was made, as in the PNG's `parameters` text chunk.
             * @example a red circle on a blue background
             *     Steps: 25, Sampler: DDIM, CFG scale: 7.5, Seed: 42, Size: 128x128
             */
            parameters: string;
            /**
             * @description The prompt.
             * @example a red circle on a blue background
             */
            prompt: string;
            /**
             * @description Whether the prompt or the negative prompt is longer than the model reads, so that its end was left out.
             * @example false
             */
            prompt_truncated: boolean;
            /** @description Ways in which the request may not do what it seems to, in sentences; absent if there are none. */
            remarks?: string[];
            /**
             * Format: int64
             * @description The seed that the picture was made with.
             * @example 42
             */
            seed: number;
            /**
             * Format: int32
             * @description The denoising steps.
             * @example 25
             */
            steps: number;
            /**
             * @description True.
             * @example true
             */
            success: boolean;
            /**
             * Format: int32
             * @description The picture's width in pixels.
             * @example 128
             */
            width: number;
        };
        /**
         * @description The body of `POST /generate-video` with scenes. Other programs' names of the fields are accepted; unknown keys are ignored, and named in the answer's `X-Ignored-Fields`.
         * @example {
         *       "scenes": [
         *         "a peaceful sunrise over mountains with mist",
         *         "a beach at noon with boats",
         *         "a snowy forest at night under the moon"
         *       ],
         *       "num_inference_steps": 25,
         *       "duration_per_scene": 3,
         *       "fps": 24,
         *       "width": 512,
         *       "height": 512,
         *       "transition_frames": 12
         *     }
         */
        GenerateVideoRequest: {
            /**
             * Format: double
             * @description How long a scene lasts, in seconds: `trunc(duration * fps)` frames.
             * @default 3
             */
            duration_per_scene: number | null;
            /**
             * @description Frames per second: a number, or a fraction as a text ("30000/1001").
             * @example 24
             * @example 30000/1001
             */
            fps?: number | string | null;
            /**
             * Format: double
             * @description How closely the pictures follow the prompts; 1 or less turns guidance off.
             * @default 7.5
             */
            guidance_scale: number | null;
            /**
             * Format: int64
             * @description Height of a frame in pixels. Width x height is at most 2097152.
             * @default 512
             */
            height: number | null;
            /** @description Prepended to each scene's prompt, so that a character stays the same. */
            hero_description?: string | null;
            /**
             * @description How a scene changes to the next: at once, by crossfade, or through pictures in between.
             * @default crossfade
             * @enum {string|null}
             */
            join: "cut" | "crossfade" | "slerp" | null;
            /** @description LoRAs and other adapters that change the model for these pictures; the model's usual ones if absent, none if empty. Tags in the prompts (`<lora:ink:0.8>`) and in `hero_description` add to them; all scenes must have the same. */
            loras?: (components["schemas"]["Lora"] | string)[] | null;
            /** @description Which model of this machine makes it, by a name that `GET /models` lists; the default one if absent. An unknown name is 404 with the known ones. */
            model?: string | null;
            /** @description How moving scenes move. */
            motion?: null | components["schemas"]["Motion"];
            /** @description What no scene should show. */
            negative_prompt?: string | null;
            /**
             * Format: int64
             * @description Denoising steps of each picture.
             * @default 25
             */
            num_inference_steps: number | null;
            /**
             * @description The language of all prompts: `plain` (every character is text), `a1111` (AUTOMATIC1111's weights, `BREAK`, and prompts of any length), or `compel` (compel's weights, blends and conjunctions, and prompts of any length). The model's own if absent, else `plain`.
             * @enum {string|null}
             */
            prompt_syntax?: "plain" | "a1111" | "compel" | null;
            /** @description The scenes in their order: texts, or objects for scenes that differ from the rest. At least two. */
            scenes: components["schemas"]["Scene"][];
            /**
             * @description The scheduler; the model's own if absent. The names of AUTOMATIC1111 ("DPM++ 2M Karras"), ComfyUI and diffusers are accepted too.
             * @enum {string|null}
             */
            scheduler?: "ddim" | "ddpm" | "pndm" | "lms" | "lms-karras" | "lms-exponential" | "lms-beta" | "euler" | "euler-karras" | "euler-exponential" | "euler-beta" | "euler-ancestral" | "heun" | "heun-karras" | "heun-exponential" | "heun-beta" | "dpmpp-2m" | "dpmpp-2m-karras" | "dpmpp-2m-exponential" | "dpmpp-2m-beta" | "dpmpp-2m-sde" | "dpmpp-2m-sde-karras" | "dpmpp-2m-sde-exponential" | "dpmpp-2m-sde-beta" | "dpmpp-2s" | "dpmpp-2s-karras" | "dpmpp-2s-exponential" | "dpmpp-2s-beta" | "unipc" | "unipc-karras" | "unipc-exponential" | "unipc-beta" | "deis" | "deis-karras" | "deis-exponential" | "deis-beta" | "lcm" | "tcd" | null;
            /**
             * Format: int64
             * @description The seed of scene k is this plus k, unless the scene has its own. Drawn at random if absent or -1; the answer tells which.
             */
            seed?: number | null;
            /**
             * Format: int64
             * @description Frames between two scenes.
             * @default 12
             */
            transition_frames: number | null;
            /**
             * @description The autoencoder of the pictures: `full`, or `tiny` (TAESD: much faster, and less exact), where the model has one. The operator's choice for the model if absent.
             * @enum {string|null}
             */
            vae?: "full" | "tiny" | null;
            /**
             * Format: int64
             * @description Width of a frame in pixels; pictures are made at the model's own size and resized. An odd number is raised by one.
             * @default 512
             */
            width: number | null;
        };
        /** @description A character video in its current state. */
        Generation: {
            /**
             * @description The picture, as in the request.
             * @example /uploads/character_5f0c6f5e-3f4b-4d0e-9d3c-0a5f9c1b2d3e.png
             */
            characterImageUrl: string;
            /**
             * Format: date-time
             * @description When it was submitted: RFC 3339 in UTC, with milliseconds.
             * @example 2026-11-21T12:00:00.000Z
             */
            createdAt: string;
            /**
             * Format: int32
             * @description How long the video lasts, in seconds.
             * @example 5
             */
            duration: number;
            /**
             * @description Why it failed; null if it did not.
             * @example null
             */
            error?: string | null;
            /**
             * Format: double
             * @description Estimated seconds until it is done, from times measured on this machine; null if there are none yet, or it has ended.
             * @example null
             */
            etaSeconds?: number | null;
            /**
             * @description Its id: a UUID.
             * @example 0b9d2c0e-8f0a-4e51-9c76-0a5f9c1b2d3e
             */
            id: string;
            /** @description Unknown keys of the body; absent if there are none. */
            ignoredFields?: components["schemas"]["IgnoredField"][];
            /**
             * @description How the request's fields were used, in sentences.
             * @example [
             *       "The script repaints the picture at a strength of 0.4 before it moves"
             *     ]
             */
            notes: string[];
            /**
             * Format: int32
             * @description Progress in percent, 0 to 100.
             * @example 100
             */
            progress: number;
            /**
             * @description The longer side of the video, in pixels.
             * @example 768
             */
            quality: string;
            /**
             * @description How many jobs are served before it; null unless it is queued.
             * @example null
             */
            queuePosition?: number | null;
            /**
             * @description What happens.
             * @example The character waves hello and smiles at the camera
             */
            script: string;
            /**
             * @description Whether the script guides how the picture is repainted before it moves.
             * @example true
             */
            scriptUsed: boolean;
            /**
             * Format: int64
             * @description The seed; null if a service draws its own.
             * @example 42
             */
            seed?: number | null;
            /**
             * @description "pending", "processing", "completed" or "failed".
             * @example completed
             */
            status: string;
            video?: components["schemas"]["VideoFacts"] | null;
            /**
             * @description The video's path; null until it is completed, and when it is no longer kept.
             * @example /videos/video_0b9d2c0e-8f0a-4e51-9c76-0a5f9c1b2d3e.mp4
             */
            videoUrl?: string | null;
        };
        /** @description The answer of `GET /health`. */
        HealthResponse: {
            /**
             * @description "cpu", "cuda" or "metal"; "not set" until the model is loaded.
             * @example cpu
             */
            device: string;
            /**
             * @description The number of jobs that are queued or running.
             * @example 0
             */
            jobs: number;
            /** @description Whether pictures can be requested. */
            model_loaded: boolean;
            /**
             * @description "framewright".
             * @example framewright
             */
            service: string;
            /**
             * @description "healthy": the service answers, whether or not its model is loaded yet.
             * @example healthy
             */
            status: string;
            /**
             * Format: date-time
             * @description The server's time, RFC 3339 in UTC.
             * @example 2026-11-21T12:00:00.000Z
             */
            timestamp: string;
            /**
             * @description The program's version.
             * @example 0.1.0
             */
            version: string;
        };
        /**
         * @description A second pass: the picture is enlarged, and repainted at its new size.
         * @example {
         *       "scale": 1.5,
         *       "upscaler": "Latent",
         *       "strength": 0.6
         *     }
         */
        Hires: {
            /**
             * Format: double
             * @description Its guidance; that of the first pass if absent.
             */
            guidance_scale?: number | null;
            /**
             * Format: int64
             * @description Its height in pixels, likewise.
             */
            height?: number | null;
            /** @description What it should not show; the picture's negative prompt if absent. */
            negative_prompt?: string | null;
            /** @description What it shows; the picture's prompt if absent. */
            prompt?: string | null;
            /**
             * Format: double
             * @description How many times larger it becomes; not with a width or a height.
             * @default 2
             */
            scale: number | null;
            /**
             * @description Its scheduler; that of the first pass if absent.
             * @enum {string|null}
             */
            scheduler?: "ddim" | "ddpm" | "pndm" | "lms" | "lms-karras" | "lms-exponential" | "lms-beta" | "euler" | "euler-karras" | "euler-exponential" | "euler-beta" | "euler-ancestral" | "heun" | "heun-karras" | "heun-exponential" | "heun-beta" | "dpmpp-2m" | "dpmpp-2m-karras" | "dpmpp-2m-exponential" | "dpmpp-2m-beta" | "dpmpp-2m-sde" | "dpmpp-2m-sde-karras" | "dpmpp-2m-sde-exponential" | "dpmpp-2m-sde-beta" | "dpmpp-2s" | "dpmpp-2s-karras" | "dpmpp-2s-exponential" | "dpmpp-2s-beta" | "unipc" | "unipc-karras" | "unipc-exponential" | "unipc-beta" | "deis" | "deis-karras" | "deis-exponential" | "deis-beta" | "lcm" | "tcd" | null;
            /**
             * Format: int64
             * @description The steps that repaint it, all of which are run; as many as in the first pass if absent.
             */
            steps?: number | null;
            /**
             * Format: double
             * @description The share of noise that is added before, above 0.
             * @default 0.75
             */
            strength: number | null;
            /**
             * @description What enlarges it: its latents by AUTOMATIC1111's names (`GET /sdapi/v1/latent-upscale-modes`), or its pixels by resampling or by a network (`GET /sdapi/v1/upscalers`).
             * @default Latent
             */
            upscaler: string | null;
            /**
             * Format: int64
             * @description Its width in pixels, rounded down to a multiple of 8. With a height, what exceeds these proportions is cut off; alone, it keeps the proportions.
             */
            width?: number | null;
        };
        /** @description An unknown key of a body. */
        IgnoredField: {
            /**
             * @description The field that was probably meant; null if no field is similar.
             * @example negative_prompt
             */
            did_you_mean?: string | null;
            /**
             * @description The key; inside objects and lists it is preceded by their keys and indices, separated by dots.
             * @example negative_promt
             */
            field: string;
        };
        /** @description The answer of `POST /api/v1/images/generate`. */
        ImageTaskResponse: {
            /**
             * Format: double
             * @description The time spent on it, in seconds.
             * @example 0.8
             */
            duration: number;
            /**
             * Format: int32
             * @description Height in pixels.
             * @example 1080
             */
            height: number;
            /** @description Unknown keys of the body; absent if there are none. */
            ignored_fields?: components["schemas"]["IgnoredField"][];
            /**
             * @description The PNG file, base64 with padding; null if it is no longer kept.
             * @example iVBORw0KGgoAAAANSUhEUgAA...
             */
            image_b64?: string | null;
            /**
             * @description The URL of the PNG file.
             * @example http://localhost:8000/files/img_abc123def456/image-0.png
             */
            image_url?: string | null;
            /**
             * Format: int32
             * @description Height in pixels as the model made it.
             * @example 96
             */
            native_height: number;
            /**
             * Format: int32
             * @description Width in pixels as the model made it.
             * @example 168
             */
            native_width: number;
            /** @description How it was made, as in the PNG. */
            parameters?: string | null;
            /**
             * @description Whether the prompt was longer than the model reads, and was cut.
             * @example false
             */
            prompt_truncated: boolean;
            /** @description Ways in which the request may not do what it seems to, in sentences; absent if there are none. */
            remarks?: string[];
            /**
             * Format: int64
             * @description The seed that it was made with.
             * @example 42
             */
            seed: number;
            /**
             * @description "local".
             * @example local
             */
            service: string;
            /**
             * @description The id of the task that made it.
             * @example img_abc123def456
             */
            task_id?: string | null;
            /**
             * Format: int32
             * @description Width in pixels.
             * @example 1920
             */
            width: number;
        };
        /**
         * @description The body of `POST /api/v1/i2v`.
         * @example {
         *       "image_id": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAIAAAACAAgMAAAC+UIlYAAAADFBMVEXypl4wXJbsUDz/7r4yPsOfAAABKUlEQVR42u2VMXLDIBBFv8ClZ+RzpNIBPGMfIvZ5fJ5UuUEocoBUqXMEPKMukn+KgITsxZZgxhXbsBJfb9llQUCxYsWKPcOM9FItIdhsQpdN4GxCTYrh6AtBcvAlQg0AW4ngCrEjSWlBLrAmSXq1EGI9GSYCDQBowoeFhfrPjc5MhKC90wgEOybh01CxJLyj5MnYZukwtJ6XpnrU2EsJTTZhnU3Q2YTbQlwLmryjR7JD7fuhS1ukRuvdNo0A03vvK/bNzi0yIc3x+hizlAjtZKgA4G0i+P4ww4wbXk6h4FhbAP0qCPETzl9wBoDPe5u1Afq986sDgOo1mP19T+go3rnz1U2jmaSmtfEbfSahi/9V1DXXJp4sEz1aDwnVYWlXF0ERFEERPE/wB6qZcyzltyjLAAAAAElFTkSuQmCC"
         *     }
         */
        ImageToVideoRequest: {
            /** @description The image: an http or https address of a PNG, JPEG or WebP file, its base64, or a data URL. HTML entities in an address (`&amp;`, `&#x2F;`) are decoded. */
            image_id: string;
            /** @description What makes it: "local", a name that `GET /models` lists, a service's name, or a service's and a model's; an unknown name is 404 with the known ones. Absent: as the operator has set it. */
            model?: string | null;
        };
        /** @description The answer to an accepted request. */
        ImageToVideoResponse: {
            /**
             * @description "Video generation pipeline initialized | ETA: 5-7 minutes".
             * @example Video generation pipeline initialized | ETA: 5-7 minutes
             */
            message: string;
            /**
             * @description The request's name: its `x-request-id`.
             * @example 8e03978e-40d5-43e8-bc93-6894a57f9324
             */
            request_id: string;
        };
        /** Format: binary */
        JpegFile: string;
        /**
         * @description An adapter, and how strongly it changes the model.
         * @example {
         *       "name": "ink",
         *       "weight": 0.8
         *     }
         */
        Lora: {
            /** @description Its name: one that `GET /models` lists in `adapters`. */
            name: string;
            /**
             * Format: double
             * @description Its weight in the text encoder; the same if absent.
             */
            text_weight?: number | null;
            /**
             * Format: double
             * @description Its weight in the noise predictor: 1 as it was trained, less than 0 the other way.
             * @default 1
             */
            weight: number | null;
        };
        /** @description A model. */
        Model: {
            /**
             * @description Whether requests without `model` use it.
             * @example false
             */
            default: boolean;
            /**
             * Format: double
             * @description The guidance scale of an image whose request names none; null while unknown.
             * @example 0
             */
            guidance_scale?: number | null;
            /**
             * Format: int32
             * @description Its height, likewise.
             * @example 512
             */
            height?: number | null;
            /**
             * Format: int64
             * @description How many times it was loaded since the server started.
             * @example 1
             */
            loads: number;
            /**
             * @description The adapters of requests that choose none, as NAME:WEIGHT:TEXT_WEIGHT; empty while unknown.
             * @example [
             *       "ink:0.8:0.8"
             *     ]
             */
            loras: string[];
            /**
             * Format: int64
             * @description The memory that it takes while loaded, in bytes; null while unknown.
             * @example 2132000000
             */
            memory_bytes?: number | null;
            /**
             * @description The name by which requests select it in `model`.
             * @example turbo
             */
            name: string;
            /**
             * @description Its parts that come from elsewhere ("vae", "text_encoder", "text_encoder_2"), with the names of their files or folders.
             * @example {
             *       "text_encoder": "clip_l.safetensors"
             *     }
             */
            other_parts: {
                [key: string]: string;
            };
            /**
             * @description The precision of its noise predictor: "f32", "bf16" or "f16"; null while unknown.
             * @example bf16
             */
            precision?: string | null;
            /**
             * Format: int32
             * @description How much of it is read, in percent, while it is loading; else absent.
             * @example null
             */
            progress?: number | null;
            /**
             * @description The prompt language of requests that name none: "plain", "a1111" or "compel"; null while unknown.
             * @example plain
             */
            prompt_syntax?: string | null;
            /**
             * @description Why loading failed; absent unless it did.
             * @example null
             */
            reason?: string | null;
            /**
             * @description "unloaded", "queued", "loading", "ready" or "failed". An unloaded or failed model is loaded when a request needs it.
             * @example ready
             */
            state: string;
            /**
             * Format: int32
             * @description The denoising steps of an image whose request names none; null while unknown.
             * @example 1
             */
            steps?: number | null;
            /**
             * @description Its autoencoders, "full" and "tiny", the one of requests that name none first; empty while unknown.
             * @example [
             *       "full",
             *       "tiny"
             *     ]
             */
            vaes: string[];
            /**
             * Format: int32
             * @description The width in pixels of an image whose request names none; null while unknown.
             * @example 512
             */
            width?: number | null;
        };
        /** @description A model that a task waits for. */
        ModelWait: {
            /**
             * @description Its name, as in `GET /models`.
             * @example turbo
             */
            name: string;
            /**
             * Format: int32
             * @description How much of it is read, in percent, while it is loading.
             * @example 40
             */
            progress?: number | null;
            /**
             * @description "queued", or "loading".
             * @example loading
             */
            state: string;
        };
        /** @description The models of this machine. */
        Models: {
            /**
             * @description The adapters that requests may choose in `loras`.
             * @example [
             *       "ink"
             *     ]
             */
            adapters: string[];
            /**
             * @description The ControlNets that requests may choose in `controlnets`.
             * @example [
             *       "canny"
             *     ]
             */
            controlnets: string[];
            /** @description The default model first. */
            models: components["schemas"]["Model"][];
        };
        /** @description How a picture is set in motion. */
        Motion: {
            /**
             * Format: int64
             * @description The frame rate that the model is conditioned on.
             * @default 7
             */
            conditioning_fps: number | null;
            /**
             * Format: int64
             * @description Frames decoded at once: fewer need less memory, and flicker more. All if absent.
             */
            decode_chunk_size?: number | null;
            /**
             * Format: double
             * @description Guidance of the last frame.
             * @default 3
             */
            max_guidance_scale: number | null;
            /**
             * Format: double
             * @description Guidance of the first frame.
             * @default 1
             */
            min_guidance_scale: number | null;
            /**
             * Format: int64
             * @description How much moves: from hardly anything (1) to a lot (255).
             * @default 127
             */
            motion_bucket_id: number | null;
            /**
             * Format: double
             * @description Noise added to the picture first: with more of it, the video departs further from the picture.
             * @default 0.02
             */
            noise_aug_strength: number | null;
            /**
             * Format: int64
             * @description Frames that the model makes in one run; the number that it was trained for if absent.
             */
            num_frames?: number | null;
            /**
             * Format: int64
             * @description Denoising steps.
             * @default 25
             */
            num_inference_steps: number | null;
        };
        /** Format: binary */
        Mp4File: string;
        /** @description The model's own output. */
        NativeOutput: {
            /**
             * @description Frames of a video; null for pictures.
             * @example 37
             */
            frames?: number | null;
            /**
             * Format: int32
             * @description Height in pixels.
             * @example 576
             */
            height: number;
            /**
             * Format: int32
             * @description Width in pixels.
             * @example 1024
             */
            width: number;
        };
        /** @description What is wrong. */
        OpenAiError: {
            /**
             * @description A stable word for programs.
             * @example invalid_value
             */
            code?: string | null;
            /**
             * @description A sentence with the field, its value and its limit.
             * @example n: Input should be less than or equal to 10 (it is 11)
             */
            message: string;
            /**
             * @description The first field at fault; null if none is.
             * @example n
             */
            param?: string | null;
            /**
             * @description The kind: `invalid_request_error`, `rate_limit_error`, `insufficient_quota` or `server_error`.
             * @example invalid_request_error
             */
            type: string;
        };
        /** @description An error. */
        OpenAiErrorBody: {
            error: components["schemas"]["OpenAiError"];
        };
        /** @description A picture, in one of two forms. */
        OpenAiImage: {
            /**
             * @description The file, base64 with padding; absent with `response_format: url`.
             * @example iVBORw0KGgoAAAANSUhEUgAA...
             */
            b64_json?: string | null;
            /**
             * @description How it was made, as in the file.
             * @example a peaceful sunrise
             *     Steps: 25, Sampler: DDIM, CFG scale: 7.5, Seed: 4, Size: 128x128
             */
            parameters: string;
            /**
             * Format: int64
             * @description The seed that it was made with.
             * @example 4
             */
            seed: number;
            /**
             * @description Where the file is, on this server; absent unless `response_format` is `url`.
             * @example null
             */
            url?: string | null;
        };
        /** @description The body of `POST /v1/images/edits` as JSON: that of `POST /v1/images/generations`, a picture, and where it is edited. */
        OpenAiImageEditForm: {
            /**
             * Format: double
             * @description For Stable Diffusion XL's refiner; other models refuse it. The score of the picture's looks; 6 if absent.
             */
            aesthetic_score?: number | null;
            /**
             * @description "auto" or "opaque"; "transparent" is refused.
             * @default auto
             * @enum {string|null}
             */
            background: "auto" | "opaque" | null;
            /** @description ControlNets: pictures whose edges, depth or poses the result follows. Several are added up. */
            controlnets?: components["schemas"]["ControlNet"][] | null;
            /** @description For Stable Diffusion XL models; others refuse it. The declared position of the picture in the original, as `TOP,LEFT`; `0,0` if absent, which keeps subjects in the middle. */
            crops_coords_top_left?: string | null;
            /**
             * Format: double
             * @description The share of fresh noise in a step, for the schedulers that use it: `ddim` and `tcd` (0 if absent), and `euler-ancestral` (1 if absent). With others it has no effect, and the answer's remarks say so.
             */
            eta?: number | null;
            /**
             * @description Whether ControlNets act on the prompt's half of the guidance only, so that the result follows them without a prompt; a `guidance_scale` of 3 to 5 suits it.
             * @default false
             */
            guess_mode: boolean | null;
            /**
             * Format: double
             * @description Classifier-free guidance: how closely the picture follows the prompt; 1 or less turns it off. If absent, what suits the model, else 7.5.
             * @default 7.5
             */
            guidance_scale: number | null;
            /** @description A second pass at a larger size ("hires fix"): the picture is enlarged, then repainted. Not with a picture to start from, or a refiner. */
            hires?: null | components["schemas"]["Hires"];
            /**
             * Format: binary
             * @description The picture: an http or https address, base64 of a PNG, JPEG or WebP file, or a data URL; in a form, one file.
             */
            image?: string;
            /**
             * Format: binary
             * @description Another name of `image`.
             */
            "image[]"?: string;
            /**
             * @description "high" keeps more of an unmasked picture: a `strength` of 0.5.
             * @default low
             * @enum {string|null}
             */
            input_fidelity: "high" | "low" | null;
            /** @description LoRAs and other adapters that change the model for this picture; the model's usual ones if absent, none if empty. Tags in the prompt (`<lora:ink:0.8>`) add to them. */
            loras?: (components["schemas"]["Lora"] | string)[] | null;
            /**
             * Format: binary
             * @description Where the picture is edited: a PNG or WebP of the picture's size, whose fully transparent parts are repainted; base64, a data URL, or in a form a file. Without it, the fully transparent parts of the picture itself; if it has none, all of it.
             */
            mask?: string;
            /** @description Which model makes it, by a name that `GET /models` lists; the default one if absent. One that is not loaded is loaded first. An unknown name is 404 with the known ones. */
            model?: string | null;
            /**
             * @description Accepted for OpenAI's clients: this server moderates nothing.
             * @default auto
             * @enum {string|null}
             */
            moderation: "auto" | "low" | null;
            /**
             * Format: int64
             * @description The number of pictures, with consecutive seeds.
             * @default 1
             */
            n: number | null;
            /**
             * Format: double
             * @description For Stable Diffusion XL's refiner; other models refuse it. The score for the negative prompt; 2.5 if absent.
             */
            negative_aesthetic_score?: number | null;
            /** @description `crops_coords_top_left` for the negative prompt; the prompt's if absent. */
            negative_crops_coords_top_left?: string | null;
            /** @description `original_size` for the negative prompt; the prompt's if absent. */
            negative_original_size?: string | null;
            /** @description What the picture should not show. */
            negative_prompt?: string | null;
            /** @description What the second text encoder of a Stable Diffusion XL model reads instead of the negative prompt; other models refuse it. */
            negative_prompt_2?: string | null;
            /** @description `target_size` for the negative prompt; the prompt's if absent. */
            negative_target_size?: string | null;
            /**
             * Format: int64
             * @description Denoising steps: more steps are better and slower. If absent, as many as suit the model, else 25; see `quality`.
             * @default 25
             */
            num_inference_steps: number | null;
            /** @description For Stable Diffusion XL models; others refuse it. The declared size of the picture before it was scaled, as `1024x768`: small ones make blurred pictures. The picture's own if absent. */
            original_size?: string | null;
            /**
             * Format: int64
             * @description The quality of JPEG files, in percent.
             * @default 100
             */
            output_compression: number | null;
            /**
             * @description The format of the files. WebP is lossless here.
             * @default png
             * @enum {string|null}
             */
            output_format: "png" | "jpeg" | "webp" | null;
            /**
             * Format: int64
             * @description The maximum number of partial pictures in a stream: small previews of the first picture's progress.
             * @default 0
             */
            partial_images: number | null;
            /** @description What the picture shows. */
            prompt: string;
            /** @description What the second text encoder of a Stable Diffusion XL model reads instead of the prompt; other models refuse it. */
            prompt_2?: string | null;
            /**
             * @description The language of `prompt` and `negative_prompt`: `plain` (every character is text), `a1111` (AUTOMATIC1111's weights, as `(word:1.2)` and `[word]`, `BREAK`, and prompts of any length), or `compel` (compel's weights, as `word++` and `(a text)1.2`, `("one", "another").blend(1, 0.5)`, `.and()`, and prompts of any length). The model's own if absent, else `plain`.
             * @enum {string|null}
             */
            prompt_syntax?: "plain" | "a1111" | "compel" | null;
            /**
             * @description Denoising steps relative to the model's own: "low" half as many, "high" and "hd" one and a half times, "xhigh" and "max" twice as many. "auto", "medium" and "standard" change nothing. `num_inference_steps` takes precedence.
             * @default auto
             * @enum {string|null}
             */
            quality: "auto" | "low" | "medium" | "standard" | "high" | "hd" | "xhigh" | "max" | null;
            /** @description The model that ends the picture: Stable Diffusion XL's refiner, by a name that `GET /models` lists. It is loaded when its part begins, and decodes the picture. LoRAs and ControlNets change the part before it only. */
            refiner?: string | null;
            /**
             * Format: double
             * @description The share of training's timesteps after which the refiner takes over; only with `refiner`.
             * @default 0.8
             */
            refiner_switch: number | null;
            /**
             * @description Whether the answer has the pictures ("b64_json"), or links to them on this server ("url").
             * @default b64_json
             * @enum {string|null}
             */
            response_format: "b64_json" | "url" | null;
            /**
             * @description The scheduler; the model's own if absent. The names of AUTOMATIC1111 ("DPM++ 2M Karras"), ComfyUI and diffusers are accepted too.
             * @enum {string|null}
             */
            scheduler?: "ddim" | "ddpm" | "pndm" | "lms" | "lms-karras" | "lms-exponential" | "lms-beta" | "euler" | "euler-karras" | "euler-exponential" | "euler-beta" | "euler-ancestral" | "heun" | "heun-karras" | "heun-exponential" | "heun-beta" | "dpmpp-2m" | "dpmpp-2m-karras" | "dpmpp-2m-exponential" | "dpmpp-2m-beta" | "dpmpp-2m-sde" | "dpmpp-2m-sde-karras" | "dpmpp-2m-sde-exponential" | "dpmpp-2m-sde-beta" | "dpmpp-2s" | "dpmpp-2s-karras" | "dpmpp-2s-exponential" | "dpmpp-2s-beta" | "unipc" | "unipc-karras" | "unipc-exponential" | "unipc-beta" | "deis" | "deis-karras" | "deis-exponential" | "deis-beta" | "lcm" | "tcd" | null;
            /**
             * Format: int64
             * @description The noise's seed: the same request with the same seed gives the same pictures. Drawn at random if absent or -1; the answer tells which.
             */
            seed?: number | null;
            /**
             * @description "WIDTHxHEIGHT" in pixels, or "auto": the given picture's size, or else the model's own. The model makes the picture at about its own number of pixels in these proportions, then it is resized.
             * @default auto
             */
            size: string | null;
            /**
             * @description Whether the answer is a stream of server-sent events: partial pictures, then the finished ones.
             * @default false
             */
            stream: boolean | null;
            /**
             * Format: double
             * @description The share of the steps that repaint the picture: 1 with a mask, 0.75 without one, 0.6 for a variation.
             */
            strength?: number | null;
            /**
             * @description Accepted for clients of older models; it has no effect here.
             * @enum {string|null}
             */
            style?: "vivid" | "natural" | null;
            /** @description For Stable Diffusion XL models; others refuse it, and so does its refiner. The declared size of the picture, as `1024x768`; its own if absent. */
            target_size?: string | null;
            /** @description Accepted for OpenAI's clients, and not stored. */
            user?: string | null;
            /**
             * @description The autoencoder that makes the picture of the result: `full`, or `tiny` (TAESD: much faster, and less exact), where the model has one. The operator's choice for the model if absent; `GET /models` lists what each has.
             * @enum {string|null}
             */
            vae?: "full" | "tiny" | null;
        };
        /**
         * @description The body of `POST /v1/images/edits` as JSON: that of `POST /v1/images/generations`, a picture, and where it is edited.
         * @example {
         *       "image": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAIAAAACAAgMAAAC+UIlYAAAADFBMVEXypl4wXJbsUDz/7r4yPsOfAAABKUlEQVR42u2VMXLDIBBFv8ClZ+RzpNIBPGMfIvZ5fJ5UuUEocoBUqXMEPKMukn+KgITsxZZgxhXbsBJfb9llQUCxYsWKPcOM9FItIdhsQpdN4GxCTYrh6AtBcvAlQg0AW4ngCrEjSWlBLrAmSXq1EGI9GSYCDQBowoeFhfrPjc5MhKC90wgEOybh01CxJLyj5MnYZukwtJ6XpnrU2EsJTTZhnU3Q2YTbQlwLmryjR7JD7fuhS1ukRuvdNo0A03vvK/bNzi0yIc3x+hizlAjtZKgA4G0i+P4ww4wbXk6h4FhbAP0qCPETzl9wBoDPe5u1Afq986sDgOo1mP19T+go3rnz1U2jmaSmtfEbfSahi/9V1DXXJp4sEz1aDwnVYWlXF0ERFEERPE/wB6qZcyzltyjLAAAAAElFTkSuQmCC",
         *       "prompt": "the sea at night with boats and a moon",
         *       "seed": 4
         *     }
         */
        OpenAiImageEditRequest: {
            /**
             * Format: double
             * @description For Stable Diffusion XL's refiner; other models refuse it. The score of the picture's looks; 6 if absent.
             */
            aesthetic_score?: number | null;
            /**
             * @description "auto" or "opaque"; "transparent" is refused.
             * @default auto
             * @enum {string|null}
             */
            background: "auto" | "opaque" | null;
            /** @description ControlNets: pictures whose edges, depth or poses the result follows. Several are added up. */
            controlnets?: components["schemas"]["ControlNet"][] | null;
            /** @description For Stable Diffusion XL models; others refuse it. The declared position of the picture in the original, as `TOP,LEFT`; `0,0` if absent, which keeps subjects in the middle. */
            crops_coords_top_left?: string | null;
            /**
             * Format: double
             * @description The share of fresh noise in a step, for the schedulers that use it: `ddim` and `tcd` (0 if absent), and `euler-ancestral` (1 if absent). With others it has no effect, and the answer's remarks say so.
             */
            eta?: number | null;
            /**
             * @description Whether ControlNets act on the prompt's half of the guidance only, so that the result follows them without a prompt; a `guidance_scale` of 3 to 5 suits it.
             * @default false
             */
            guess_mode: boolean | null;
            /**
             * Format: double
             * @description Classifier-free guidance: how closely the picture follows the prompt; 1 or less turns it off. If absent, what suits the model, else 7.5.
             * @default 7.5
             */
            guidance_scale: number | null;
            /** @description A second pass at a larger size ("hires fix"): the picture is enlarged, then repainted. Not with a picture to start from, or a refiner. */
            hires?: null | components["schemas"]["Hires"];
            /** @description The picture: an http or https address, base64 of a PNG, JPEG or WebP file, or a data URL; in a form, one file. */
            image?: string | null;
            /**
             * @description "high" keeps more of an unmasked picture: a `strength` of 0.5.
             * @default low
             * @enum {string|null}
             */
            input_fidelity: "high" | "low" | null;
            /** @description LoRAs and other adapters that change the model for this picture; the model's usual ones if absent, none if empty. Tags in the prompt (`<lora:ink:0.8>`) add to them. */
            loras?: (components["schemas"]["Lora"] | string)[] | null;
            /** @description Where the picture is edited: a PNG or WebP of the picture's size, whose fully transparent parts are repainted; base64, a data URL, or in a form a file. Without it, the fully transparent parts of the picture itself; if it has none, all of it. */
            mask?: string | null;
            /** @description Which model makes it, by a name that `GET /models` lists; the default one if absent. One that is not loaded is loaded first. An unknown name is 404 with the known ones. */
            model?: string | null;
            /**
             * @description Accepted for OpenAI's clients: this server moderates nothing.
             * @default auto
             * @enum {string|null}
             */
            moderation: "auto" | "low" | null;
            /**
             * Format: int64
             * @description The number of pictures, with consecutive seeds.
             * @default 1
             */
            n: number | null;
            /**
             * Format: double
             * @description For Stable Diffusion XL's refiner; other models refuse it. The score for the negative prompt; 2.5 if absent.
             */
            negative_aesthetic_score?: number | null;
            /** @description `crops_coords_top_left` for the negative prompt; the prompt's if absent. */
            negative_crops_coords_top_left?: string | null;
            /** @description `original_size` for the negative prompt; the prompt's if absent. */
            negative_original_size?: string | null;
            /** @description What the picture should not show. */
            negative_prompt?: string | null;
            /** @description What the second text encoder of a Stable Diffusion XL model reads instead of the negative prompt; other models refuse it. */
            negative_prompt_2?: string | null;
            /** @description `target_size` for the negative prompt; the prompt's if absent. */
            negative_target_size?: string | null;
            /**
             * Format: int64
             * @description Denoising steps: more steps are better and slower. If absent, as many as suit the model, else 25; see `quality`.
             * @default 25
             */
            num_inference_steps: number | null;
            /** @description For Stable Diffusion XL models; others refuse it. The declared size of the picture before it was scaled, as `1024x768`: small ones make blurred pictures. The picture's own if absent. */
            original_size?: string | null;
            /**
             * Format: int64
             * @description The quality of JPEG files, in percent.
             * @default 100
             */
            output_compression: number | null;
            /**
             * @description The format of the files. WebP is lossless here.
             * @default png
             * @enum {string|null}
             */
            output_format: "png" | "jpeg" | "webp" | null;
            /**
             * Format: int64
             * @description The maximum number of partial pictures in a stream: small previews of the first picture's progress.
             * @default 0
             */
            partial_images: number | null;
            /** @description What the picture shows. */
            prompt: string;
            /** @description What the second text encoder of a Stable Diffusion XL model reads instead of the prompt; other models refuse it. */
            prompt_2?: string | null;
            /**
             * @description The language of `prompt` and `negative_prompt`: `plain` (every character is text), `a1111` (AUTOMATIC1111's weights, as `(word:1.2)` and `[word]`, `BREAK`, and prompts of any length), or `compel` (compel's weights, as `word++` and `(a text)1.2`, `("one", "another").blend(1, 0.5)`, `.and()`, and prompts of any length). The model's own if absent, else `plain`.
             * @enum {string|null}
             */
            prompt_syntax?: "plain" | "a1111" | "compel" | null;
            /**
             * @description Denoising steps relative to the model's own: "low" half as many, "high" and "hd" one and a half times, "xhigh" and "max" twice as many. "auto", "medium" and "standard" change nothing. `num_inference_steps` takes precedence.
             * @default auto
             * @enum {string|null}
             */
            quality: "auto" | "low" | "medium" | "standard" | "high" | "hd" | "xhigh" | "max" | null;
            /** @description The model that ends the picture: Stable Diffusion XL's refiner, by a name that `GET /models` lists. It is loaded when its part begins, and decodes the picture. LoRAs and ControlNets change the part before it only. */
            refiner?: string | null;
            /**
             * Format: double
             * @description The share of training's timesteps after which the refiner takes over; only with `refiner`.
             * @default 0.8
             */
            refiner_switch: number | null;
            /**
             * @description Whether the answer has the pictures ("b64_json"), or links to them on this server ("url").
             * @default b64_json
             * @enum {string|null}
             */
            response_format: "b64_json" | "url" | null;
            /**
             * @description The scheduler; the model's own if absent. The names of AUTOMATIC1111 ("DPM++ 2M Karras"), ComfyUI and diffusers are accepted too.
             * @enum {string|null}
             */
            scheduler?: "ddim" | "ddpm" | "pndm" | "lms" | "lms-karras" | "lms-exponential" | "lms-beta" | "euler" | "euler-karras" | "euler-exponential" | "euler-beta" | "euler-ancestral" | "heun" | "heun-karras" | "heun-exponential" | "heun-beta" | "dpmpp-2m" | "dpmpp-2m-karras" | "dpmpp-2m-exponential" | "dpmpp-2m-beta" | "dpmpp-2m-sde" | "dpmpp-2m-sde-karras" | "dpmpp-2m-sde-exponential" | "dpmpp-2m-sde-beta" | "dpmpp-2s" | "dpmpp-2s-karras" | "dpmpp-2s-exponential" | "dpmpp-2s-beta" | "unipc" | "unipc-karras" | "unipc-exponential" | "unipc-beta" | "deis" | "deis-karras" | "deis-exponential" | "deis-beta" | "lcm" | "tcd" | null;
            /**
             * Format: int64
             * @description The noise's seed: the same request with the same seed gives the same pictures. Drawn at random if absent or -1; the answer tells which.
             */
            seed?: number | null;
            /**
             * @description "WIDTHxHEIGHT" in pixels, or "auto": the given picture's size, or else the model's own. The model makes the picture at about its own number of pixels in these proportions, then it is resized.
             * @default auto
             */
            size: string | null;
            /**
             * @description Whether the answer is a stream of server-sent events: partial pictures, then the finished ones.
             * @default false
             */
            stream: boolean | null;
            /**
             * Format: double
             * @description The share of the steps that repaint the picture: 1 with a mask, 0.75 without one, 0.6 for a variation.
             */
            strength?: number | null;
            /**
             * @description Accepted for clients of older models; it has no effect here.
             * @enum {string|null}
             */
            style?: "vivid" | "natural" | null;
            /** @description For Stable Diffusion XL models; others refuse it, and so does its refiner. The declared size of the picture, as `1024x768`; its own if absent. */
            target_size?: string | null;
            /** @description Accepted for OpenAI's clients, and not stored. */
            user?: string | null;
            /**
             * @description The autoencoder that makes the picture of the result: `full`, or `tiny` (TAESD: much faster, and less exact), where the model has one. The operator's choice for the model if absent; `GET /models` lists what each has.
             * @enum {string|null}
             */
            vae?: "full" | "tiny" | null;
        };
        /** @description An event of a stream of pictures. */
        OpenAiImageEvent: {
            /**
             * @description The file, base64 with padding. A partial picture is a small preview.
             * @example iVBORw0KGgoAAAANSUhEUgAA...
             */
            b64_json: string;
            /**
             * @description "opaque".
             * @example opaque
             */
            background: string;
            /**
             * Format: int64
             * @description When it was made, in seconds since 1970.
             * @example 1768127400
             */
            created_at: number;
            /**
             * @description The format of the file: "png", "jpeg" or "webp".
             * @example png
             */
            output_format: string;
            /**
             * Format: int32
             * @description The number of a partial picture, from 0; absent for a finished one.
             * @example null
             */
            partial_image_index?: number | null;
            /**
             * @description The quality, as it was asked for.
             * @example auto
             */
            quality: string;
            /**
             * Format: int64
             * @description The seed of a finished picture; absent for a partial one.
             * @example 4
             */
            seed?: number | null;
            /**
             * @description "WIDTHxHEIGHT" in pixels of the finished picture.
             * @example 256x256
             */
            size: string;
            /**
             * @description `image_generation.partial_image`, `image_generation.completed`, `image_edit.partial_image` or `image_edit.completed`.
             * @example image_generation.completed
             */
            type: string;
        };
        /**
         * @description The body of `POST /v1/images/generations`: OpenAI's fields, and beside them those of `POST /generate` (`seed`, `negative_prompt`, `loras`, ..). Unknown keys are ignored, and named in the answer's `ignored_fields`.
         * @example {
         *       "prompt": "a peaceful sunrise over mountains with mist",
         *       "size": "256x256",
         *       "seed": 4
         *     }
         */
        OpenAiImageRequest: {
            /**
             * Format: double
             * @description For Stable Diffusion XL's refiner; other models refuse it. The score of the picture's looks; 6 if absent.
             */
            aesthetic_score?: number | null;
            /**
             * @description "auto" or "opaque"; "transparent" is refused.
             * @default auto
             * @enum {string|null}
             */
            background: "auto" | "opaque" | null;
            /** @description ControlNets: pictures whose edges, depth or poses the result follows. Several are added up. */
            controlnets?: components["schemas"]["ControlNet"][] | null;
            /** @description For Stable Diffusion XL models; others refuse it. The declared position of the picture in the original, as `TOP,LEFT`; `0,0` if absent, which keeps subjects in the middle. */
            crops_coords_top_left?: string | null;
            /**
             * Format: double
             * @description The share of fresh noise in a step, for the schedulers that use it: `ddim` and `tcd` (0 if absent), and `euler-ancestral` (1 if absent). With others it has no effect, and the answer's remarks say so.
             */
            eta?: number | null;
            /**
             * @description Whether ControlNets act on the prompt's half of the guidance only, so that the result follows them without a prompt; a `guidance_scale` of 3 to 5 suits it.
             * @default false
             */
            guess_mode: boolean | null;
            /**
             * Format: double
             * @description Classifier-free guidance: how closely the picture follows the prompt; 1 or less turns it off. If absent, what suits the model, else 7.5.
             * @default 7.5
             */
            guidance_scale: number | null;
            /** @description A second pass at a larger size ("hires fix"): the picture is enlarged, then repainted. Not with a picture to start from, or a refiner. */
            hires?: null | components["schemas"]["Hires"];
            /** @description LoRAs and other adapters that change the model for this picture; the model's usual ones if absent, none if empty. Tags in the prompt (`<lora:ink:0.8>`) add to them. */
            loras?: (components["schemas"]["Lora"] | string)[] | null;
            /** @description Which model makes it, by a name that `GET /models` lists; the default one if absent. One that is not loaded is loaded first. An unknown name is 404 with the known ones. */
            model?: string | null;
            /**
             * @description Accepted for OpenAI's clients: this server moderates nothing.
             * @default auto
             * @enum {string|null}
             */
            moderation: "auto" | "low" | null;
            /**
             * Format: int64
             * @description The number of pictures, with consecutive seeds.
             * @default 1
             */
            n: number | null;
            /**
             * Format: double
             * @description For Stable Diffusion XL's refiner; other models refuse it. The score for the negative prompt; 2.5 if absent.
             */
            negative_aesthetic_score?: number | null;
            /** @description `crops_coords_top_left` for the negative prompt; the prompt's if absent. */
            negative_crops_coords_top_left?: string | null;
            /** @description `original_size` for the negative prompt; the prompt's if absent. */
            negative_original_size?: string | null;
            /** @description What the picture should not show. */
            negative_prompt?: string | null;
            /** @description What the second text encoder of a Stable Diffusion XL model reads instead of the negative prompt; other models refuse it. */
            negative_prompt_2?: string | null;
            /** @description `target_size` for the negative prompt; the prompt's if absent. */
            negative_target_size?: string | null;
            /**
             * Format: int64
             * @description Denoising steps: more steps are better and slower. If absent, as many as suit the model, else 25; see `quality`.
             * @default 25
             */
            num_inference_steps: number | null;
            /** @description For Stable Diffusion XL models; others refuse it. The declared size of the picture before it was scaled, as `1024x768`: small ones make blurred pictures. The picture's own if absent. */
            original_size?: string | null;
            /**
             * Format: int64
             * @description The quality of JPEG files, in percent.
             * @default 100
             */
            output_compression: number | null;
            /**
             * @description The format of the files. WebP is lossless here.
             * @default png
             * @enum {string|null}
             */
            output_format: "png" | "jpeg" | "webp" | null;
            /**
             * Format: int64
             * @description The maximum number of partial pictures in a stream: small previews of the first picture's progress.
             * @default 0
             */
            partial_images: number | null;
            /** @description What the picture shows. */
            prompt: string;
            /** @description What the second text encoder of a Stable Diffusion XL model reads instead of the prompt; other models refuse it. */
            prompt_2?: string | null;
            /**
             * @description The language of `prompt` and `negative_prompt`: `plain` (every character is text), `a1111` (AUTOMATIC1111's weights, as `(word:1.2)` and `[word]`, `BREAK`, and prompts of any length), or `compel` (compel's weights, as `word++` and `(a text)1.2`, `("one", "another").blend(1, 0.5)`, `.and()`, and prompts of any length). The model's own if absent, else `plain`.
             * @enum {string|null}
             */
            prompt_syntax?: "plain" | "a1111" | "compel" | null;
            /**
             * @description Denoising steps relative to the model's own: "low" half as many, "high" and "hd" one and a half times, "xhigh" and "max" twice as many. "auto", "medium" and "standard" change nothing. `num_inference_steps` takes precedence.
             * @default auto
             * @enum {string|null}
             */
            quality: "auto" | "low" | "medium" | "standard" | "high" | "hd" | "xhigh" | "max" | null;
            /** @description The model that ends the picture: Stable Diffusion XL's refiner, by a name that `GET /models` lists. It is loaded when its part begins, and decodes the picture. LoRAs and ControlNets change the part before it only. */
            refiner?: string | null;
            /**
             * Format: double
             * @description The share of training's timesteps after which the refiner takes over; only with `refiner`.
             * @default 0.8
             */
            refiner_switch: number | null;
            /**
             * @description Whether the answer has the pictures ("b64_json"), or links to them on this server ("url").
             * @default b64_json
             * @enum {string|null}
             */
            response_format: "b64_json" | "url" | null;
            /**
             * @description The scheduler; the model's own if absent. The names of AUTOMATIC1111 ("DPM++ 2M Karras"), ComfyUI and diffusers are accepted too.
             * @enum {string|null}
             */
            scheduler?: "ddim" | "ddpm" | "pndm" | "lms" | "lms-karras" | "lms-exponential" | "lms-beta" | "euler" | "euler-karras" | "euler-exponential" | "euler-beta" | "euler-ancestral" | "heun" | "heun-karras" | "heun-exponential" | "heun-beta" | "dpmpp-2m" | "dpmpp-2m-karras" | "dpmpp-2m-exponential" | "dpmpp-2m-beta" | "dpmpp-2m-sde" | "dpmpp-2m-sde-karras" | "dpmpp-2m-sde-exponential" | "dpmpp-2m-sde-beta" | "dpmpp-2s" | "dpmpp-2s-karras" | "dpmpp-2s-exponential" | "dpmpp-2s-beta" | "unipc" | "unipc-karras" | "unipc-exponential" | "unipc-beta" | "deis" | "deis-karras" | "deis-exponential" | "deis-beta" | "lcm" | "tcd" | null;
            /**
             * Format: int64
             * @description The noise's seed: the same request with the same seed gives the same pictures. Drawn at random if absent or -1; the answer tells which.
             */
            seed?: number | null;
            /**
             * @description "WIDTHxHEIGHT" in pixels, or "auto": the given picture's size, or else the model's own. The model makes the picture at about its own number of pixels in these proportions, then it is resized.
             * @default auto
             */
            size: string | null;
            /**
             * @description Whether the answer is a stream of server-sent events: partial pictures, then the finished ones.
             * @default false
             */
            stream: boolean | null;
            /**
             * @description Accepted for clients of older models; it has no effect here.
             * @enum {string|null}
             */
            style?: "vivid" | "natural" | null;
            /** @description For Stable Diffusion XL models; others refuse it, and so does its refiner. The declared size of the picture, as `1024x768`; its own if absent. */
            target_size?: string | null;
            /** @description Accepted for OpenAI's clients, and not stored. */
            user?: string | null;
            /**
             * @description The autoencoder that makes the picture of the result: `full`, or `tiny` (TAESD: much faster, and less exact), where the model has one. The operator's choice for the model if absent; `GET /models` lists what each has.
             * @enum {string|null}
             */
            vae?: "full" | "tiny" | null;
        };
        /** @description The body of `POST /v1/images/upscale` as JSON: a picture and an upscaler, with the words of `POST /v1/images/edits`. */
        OpenAiImageUpscaleForm: {
            /**
             * Format: binary
             * @description The picture, up to 8192 pixels a side: an http or https address, base64 of a PNG, JPEG or WebP file, or a data URL; in a form, one file. Its transparency is enlarged too.
             */
            image?: string;
            /**
             * Format: binary
             * @description Another name of `image`.
             */
            "image[]"?: string;
            /** @description The upscaler: a model of `GET /v1/models` with the capability `images.upscale`. */
            model?: string | null;
            /**
             * Format: int64
             * @description The quality of a JPEG file, in percent.
             * @default 100
             */
            output_compression: number | null;
            /**
             * @description The format of the file. WebP is lossless here.
             * @default png
             * @enum {string|null}
             */
            output_format: "png" | "jpeg" | "webp" | null;
            /**
             * @description Whether the answer has the picture ("b64_json"), or a link to it on this server ("url").
             * @default b64_json
             * @enum {string|null}
             */
            response_format: "b64_json" | "url" | null;
            /**
             * Format: double
             * @description How many times larger the picture becomes; the upscaler's own factor if absent.
             */
            scale?: number | null;
            /** @description Another name of `model`. */
            upscaler?: string | null;
            /** @description Accepted for OpenAI's clients, and not stored. */
            user?: string | null;
        };
        /**
         * @description The body of `POST /v1/images/upscale` as JSON: a picture and an upscaler, with the words of `POST /v1/images/edits`.
         * @example {
         *       "image": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAIAAAACAAgMAAAC+UIlYAAAADFBMVEXypl4wXJbsUDz/7r4yPsOfAAABKUlEQVR42u2VMXLDIBBFv8ClZ+RzpNIBPGMfIvZ5fJ5UuUEocoBUqXMEPKMukn+KgITsxZZgxhXbsBJfb9llQUCxYsWKPcOM9FItIdhsQpdN4GxCTYrh6AtBcvAlQg0AW4ngCrEjSWlBLrAmSXq1EGI9GSYCDQBowoeFhfrPjc5MhKC90wgEOybh01CxJLyj5MnYZukwtJ6XpnrU2EsJTTZhnU3Q2YTbQlwLmryjR7JD7fuhS1ukRuvdNo0A03vvK/bNzi0yIc3x+hizlAjtZKgA4G0i+P4ww4wbXk6h4FhbAP0qCPETzl9wBoDPe5u1Afq986sDgOo1mP19T+go3rnz1U2jmaSmtfEbfSahi/9V1DXXJp4sEz1aDwnVYWlXF0ERFEERPE/wB6qZcyzltyjLAAAAAElFTkSuQmCC",
         *       "model": "RealESRGAN_x4plus",
         *       "scale": 2
         *     }
         */
        OpenAiImageUpscaleRequest: {
            /**
             * @description The picture, up to 8192 pixels a side: an http or https address, base64 of a PNG, JPEG or WebP file, or a data URL; in a form, one file. Its transparency is enlarged too.
             * @example data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAIAAAACAAgMAAAC+UIlYAAAADFBMVEXypl4wXJbsUDz/7r4yPsOfAAABKUlEQVR42u2VMXLDIBBFv8ClZ+RzpNIBPGMfIvZ5fJ5UuUEocoBUqXMEPKMukn+KgITsxZZgxhXbsBJfb9llQUCxYsWKPcOM9FItIdhsQpdN4GxCTYrh6AtBcvAlQg0AW4ngCrEjSWlBLrAmSXq1EGI9GSYCDQBowoeFhfrPjc5MhKC90wgEOybh01CxJLyj5MnYZukwtJ6XpnrU2EsJTTZhnU3Q2YTbQlwLmryjR7JD7fuhS1ukRuvdNo0A03vvK/bNzi0yIc3x+hizlAjtZKgA4G0i+P4ww4wbXk6h4FhbAP0qCPETzl9wBoDPe5u1Afq986sDgOo1mP19T+go3rnz1U2jmaSmtfEbfSahi/9V1DXXJp4sEz1aDwnVYWlXF0ERFEERPE/wB6qZcyzltyjLAAAAAElFTkSuQmCC
             */
            image?: string | null;
            /** @description The upscaler: a model of `GET /v1/models` with the capability `images.upscale`. */
            model?: string | null;
            /**
             * Format: int64
             * @description The quality of a JPEG file, in percent.
             * @default 100
             */
            output_compression: number | null;
            /**
             * @description The format of the file. WebP is lossless here.
             * @default png
             * @enum {string|null}
             */
            output_format: "png" | "jpeg" | "webp" | null;
            /**
             * @description Whether the answer has the picture ("b64_json"), or a link to it on this server ("url").
             * @default b64_json
             * @enum {string|null}
             */
            response_format: "b64_json" | "url" | null;
            /**
             * Format: double
             * @description How many times larger the picture becomes; the upscaler's own factor if absent.
             */
            scale?: number | null;
            /** @description Another name of `model`. */
            upscaler?: string | null;
            /** @description Accepted for OpenAI's clients, and not stored. */
            user?: string | null;
        };
        /** @description The body of `POST /v1/images/variations` as JSON: a picture, and the fields of `POST /v1/images/edits` without a mask. */
        OpenAiImageVariationForm: {
            /**
             * Format: double
             * @description For Stable Diffusion XL's refiner; other models refuse it. The score of the picture's looks; 6 if absent.
             */
            aesthetic_score?: number | null;
            /**
             * @description "auto" or "opaque"; "transparent" is refused.
             * @default auto
             * @enum {string|null}
             */
            background: "auto" | "opaque" | null;
            /** @description ControlNets: pictures whose edges, depth or poses the result follows. Several are added up. */
            controlnets?: components["schemas"]["ControlNet"][] | null;
            /** @description For Stable Diffusion XL models; others refuse it. The declared position of the picture in the original, as `TOP,LEFT`; `0,0` if absent, which keeps subjects in the middle. */
            crops_coords_top_left?: string | null;
            /**
             * Format: double
             * @description The share of fresh noise in a step, for the schedulers that use it: `ddim` and `tcd` (0 if absent), and `euler-ancestral` (1 if absent). With others it has no effect, and the answer's remarks say so.
             */
            eta?: number | null;
            /**
             * @description Whether ControlNets act on the prompt's half of the guidance only, so that the result follows them without a prompt; a `guidance_scale` of 3 to 5 suits it.
             * @default false
             */
            guess_mode: boolean | null;
            /**
             * Format: double
             * @description Classifier-free guidance: how closely the picture follows the prompt; 1 or less turns it off. If absent, what suits the model, else 7.5.
             * @default 7.5
             */
            guidance_scale: number | null;
            /** @description A second pass at a larger size ("hires fix"): the picture is enlarged, then repainted. Not with a picture to start from, or a refiner. */
            hires?: null | components["schemas"]["Hires"];
            /**
             * Format: binary
             * @description The picture: an http or https address, base64 of a PNG, JPEG or WebP file, or a data URL; in a form, one file.
             */
            image?: string;
            /**
             * Format: binary
             * @description Another name of `image`.
             */
            "image[]"?: string;
            /**
             * @description "high" keeps more of an unmasked picture: a `strength` of 0.5.
             * @default low
             * @enum {string|null}
             */
            input_fidelity: "high" | "low" | null;
            /** @description LoRAs and other adapters that change the model for this picture; the model's usual ones if absent, none if empty. Tags in the prompt (`<lora:ink:0.8>`) add to them. */
            loras?: (components["schemas"]["Lora"] | string)[] | null;
            /** @description Which model makes it, by a name that `GET /models` lists; the default one if absent. One that is not loaded is loaded first. An unknown name is 404 with the known ones. */
            model?: string | null;
            /**
             * @description Accepted for OpenAI's clients: this server moderates nothing.
             * @default auto
             * @enum {string|null}
             */
            moderation: "auto" | "low" | null;
            /**
             * Format: int64
             * @description The number of pictures, with consecutive seeds.
             * @default 1
             */
            n: number | null;
            /**
             * Format: double
             * @description For Stable Diffusion XL's refiner; other models refuse it. The score for the negative prompt; 2.5 if absent.
             */
            negative_aesthetic_score?: number | null;
            /** @description `crops_coords_top_left` for the negative prompt; the prompt's if absent. */
            negative_crops_coords_top_left?: string | null;
            /** @description `original_size` for the negative prompt; the prompt's if absent. */
            negative_original_size?: string | null;
            /** @description What the picture should not show. */
            negative_prompt?: string | null;
            /** @description What the second text encoder of a Stable Diffusion XL model reads instead of the negative prompt; other models refuse it. */
            negative_prompt_2?: string | null;
            /** @description `target_size` for the negative prompt; the prompt's if absent. */
            negative_target_size?: string | null;
            /**
             * Format: int64
             * @description Denoising steps: more steps are better and slower. If absent, as many as suit the model, else 25; see `quality`.
             * @default 25
             */
            num_inference_steps: number | null;
            /** @description For Stable Diffusion XL models; others refuse it. The declared size of the picture before it was scaled, as `1024x768`: small ones make blurred pictures. The picture's own if absent. */
            original_size?: string | null;
            /**
             * Format: int64
             * @description The quality of JPEG files, in percent.
             * @default 100
             */
            output_compression: number | null;
            /**
             * @description The format of the files. WebP is lossless here.
             * @default png
             * @enum {string|null}
             */
            output_format: "png" | "jpeg" | "webp" | null;
            /**
             * Format: int64
             * @description The maximum number of partial pictures in a stream: small previews of the first picture's progress.
             * @default 0
             */
            partial_images: number | null;
            /** @description What the variation shows. Without it the variation follows the picture alone. */
            prompt?: string | null;
            /** @description What the second text encoder of a Stable Diffusion XL model reads instead of the prompt; other models refuse it. */
            prompt_2?: string | null;
            /**
             * @description The language of `prompt` and `negative_prompt`: `plain` (every character is text), `a1111` (AUTOMATIC1111's weights, as `(word:1.2)` and `[word]`, `BREAK`, and prompts of any length), or `compel` (compel's weights, as `word++` and `(a text)1.2`, `("one", "another").blend(1, 0.5)`, `.and()`, and prompts of any length). The model's own if absent, else `plain`.
             * @enum {string|null}
             */
            prompt_syntax?: "plain" | "a1111" | "compel" | null;
            /**
             * @description Denoising steps relative to the model's own: "low" half as many, "high" and "hd" one and a half times, "xhigh" and "max" twice as many. "auto", "medium" and "standard" change nothing. `num_inference_steps` takes precedence.
             * @default auto
             * @enum {string|null}
             */
            quality: "auto" | "low" | "medium" | "standard" | "high" | "hd" | "xhigh" | "max" | null;
            /** @description The model that ends the picture: Stable Diffusion XL's refiner, by a name that `GET /models` lists. It is loaded when its part begins, and decodes the picture. LoRAs and ControlNets change the part before it only. */
            refiner?: string | null;
            /**
             * Format: double
             * @description The share of training's timesteps after which the refiner takes over; only with `refiner`.
             * @default 0.8
             */
            refiner_switch: number | null;
            /**
             * @description Whether the answer has the pictures ("b64_json"), or links to them on this server ("url").
             * @default b64_json
             * @enum {string|null}
             */
            response_format: "b64_json" | "url" | null;
            /**
             * @description The scheduler; the model's own if absent. The names of AUTOMATIC1111 ("DPM++ 2M Karras"), ComfyUI and diffusers are accepted too.
             * @enum {string|null}
             */
            scheduler?: "ddim" | "ddpm" | "pndm" | "lms" | "lms-karras" | "lms-exponential" | "lms-beta" | "euler" | "euler-karras" | "euler-exponential" | "euler-beta" | "euler-ancestral" | "heun" | "heun-karras" | "heun-exponential" | "heun-beta" | "dpmpp-2m" | "dpmpp-2m-karras" | "dpmpp-2m-exponential" | "dpmpp-2m-beta" | "dpmpp-2m-sde" | "dpmpp-2m-sde-karras" | "dpmpp-2m-sde-exponential" | "dpmpp-2m-sde-beta" | "dpmpp-2s" | "dpmpp-2s-karras" | "dpmpp-2s-exponential" | "dpmpp-2s-beta" | "unipc" | "unipc-karras" | "unipc-exponential" | "unipc-beta" | "deis" | "deis-karras" | "deis-exponential" | "deis-beta" | "lcm" | "tcd" | null;
            /**
             * Format: int64
             * @description The noise's seed: the same request with the same seed gives the same pictures. Drawn at random if absent or -1; the answer tells which.
             */
            seed?: number | null;
            /**
             * @description "WIDTHxHEIGHT" in pixels, or "auto": the given picture's size, or else the model's own. The model makes the picture at about its own number of pixels in these proportions, then it is resized.
             * @default auto
             */
            size: string | null;
            /**
             * @description Whether the answer is a stream of server-sent events: partial pictures, then the finished ones.
             * @default false
             */
            stream: boolean | null;
            /**
             * Format: double
             * @description The share of the steps that repaint the picture: 1 with a mask, 0.75 without one, 0.6 for a variation.
             */
            strength?: number | null;
            /**
             * @description Accepted for clients of older models; it has no effect here.
             * @enum {string|null}
             */
            style?: "vivid" | "natural" | null;
            /** @description For Stable Diffusion XL models; others refuse it, and so does its refiner. The declared size of the picture, as `1024x768`; its own if absent. */
            target_size?: string | null;
            /** @description Accepted for OpenAI's clients, and not stored. */
            user?: string | null;
            /**
             * @description The autoencoder that makes the picture of the result: `full`, or `tiny` (TAESD: much faster, and less exact), where the model has one. The operator's choice for the model if absent; `GET /models` lists what each has.
             * @enum {string|null}
             */
            vae?: "full" | "tiny" | null;
        };
        /**
         * @description The body of `POST /v1/images/variations` as JSON: a picture, and the fields of `POST /v1/images/edits` without a mask.
         * @example {
         *       "image": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAIAAAACAAgMAAAC+UIlYAAAADFBMVEXypl4wXJbsUDz/7r4yPsOfAAABKUlEQVR42u2VMXLDIBBFv8ClZ+RzpNIBPGMfIvZ5fJ5UuUEocoBUqXMEPKMukn+KgITsxZZgxhXbsBJfb9llQUCxYsWKPcOM9FItIdhsQpdN4GxCTYrh6AtBcvAlQg0AW4ngCrEjSWlBLrAmSXq1EGI9GSYCDQBowoeFhfrPjc5MhKC90wgEOybh01CxJLyj5MnYZukwtJ6XpnrU2EsJTTZhnU3Q2YTbQlwLmryjR7JD7fuhS1ukRuvdNo0A03vvK/bNzi0yIc3x+hizlAjtZKgA4G0i+P4ww4wbXk6h4FhbAP0qCPETzl9wBoDPe5u1Afq986sDgOo1mP19T+go3rnz1U2jmaSmtfEbfSahi/9V1DXXJp4sEz1aDwnVYWlXF0ERFEERPE/wB6qZcyzltyjLAAAAAElFTkSuQmCC",
         *       "n": 2,
         *       "seed": 4
         *     }
         */
        OpenAiImageVariationRequest: {
            /**
             * Format: double
             * @description For Stable Diffusion XL's refiner; other models refuse it. The score of the picture's looks; 6 if absent.
             */
            aesthetic_score?: number | null;
            /**
             * @description "auto" or "opaque"; "transparent" is refused.
             * @default auto
             * @enum {string|null}
             */
            background: "auto" | "opaque" | null;
            /** @description ControlNets: pictures whose edges, depth or poses the result follows. Several are added up. */
            controlnets?: components["schemas"]["ControlNet"][] | null;
            /** @description For Stable Diffusion XL models; others refuse it. The declared position of the picture in the original, as `TOP,LEFT`; `0,0` if absent, which keeps subjects in the middle. */
            crops_coords_top_left?: string | null;
            /**
             * Format: double
             * @description The share of fresh noise in a step, for the schedulers that use it: `ddim` and `tcd` (0 if absent), and `euler-ancestral` (1 if absent). With others it has no effect, and the answer's remarks say so.
             */
            eta?: number | null;
            /**
             * @description Whether ControlNets act on the prompt's half of the guidance only, so that the result follows them without a prompt; a `guidance_scale` of 3 to 5 suits it.
             * @default false
             */
            guess_mode: boolean | null;
            /**
             * Format: double
             * @description Classifier-free guidance: how closely the picture follows the prompt; 1 or less turns it off. If absent, what suits the model, else 7.5.
             * @default 7.5
             */
            guidance_scale: number | null;
            /** @description A second pass at a larger size ("hires fix"): the picture is enlarged, then repainted. Not with a picture to start from, or a refiner. */
            hires?: null | components["schemas"]["Hires"];
            /** @description The picture: an http or https address, base64 of a PNG, JPEG or WebP file, or a data URL; in a form, one file. */
            image?: string | null;
            /**
             * @description "high" keeps more of an unmasked picture: a `strength` of 0.5.
             * @default low
             * @enum {string|null}
             */
            input_fidelity: "high" | "low" | null;
            /** @description LoRAs and other adapters that change the model for this picture; the model's usual ones if absent, none if empty. Tags in the prompt (`<lora:ink:0.8>`) add to them. */
            loras?: (components["schemas"]["Lora"] | string)[] | null;
            /** @description Which model makes it, by a name that `GET /models` lists; the default one if absent. One that is not loaded is loaded first. An unknown name is 404 with the known ones. */
            model?: string | null;
            /**
             * @description Accepted for OpenAI's clients: this server moderates nothing.
             * @default auto
             * @enum {string|null}
             */
            moderation: "auto" | "low" | null;
            /**
             * Format: int64
             * @description The number of pictures, with consecutive seeds.
             * @default 1
             */
            n: number | null;
            /**
             * Format: double
             * @description For Stable Diffusion XL's refiner; other models refuse it. The score for the negative prompt; 2.5 if absent.
             */
            negative_aesthetic_score?: number | null;
            /** @description `crops_coords_top_left` for the negative prompt; the prompt's if absent. */
            negative_crops_coords_top_left?: string | null;
            /** @description `original_size` for the negative prompt; the prompt's if absent. */
            negative_original_size?: string | null;
            /** @description What the picture should not show. */
            negative_prompt?: string | null;
            /** @description What the second text encoder of a Stable Diffusion XL model reads instead of the negative prompt; other models refuse it. */
            negative_prompt_2?: string | null;
            /** @description `target_size` for the negative prompt; the prompt's if absent. */
            negative_target_size?: string | null;
            /**
             * Format: int64
             * @description Denoising steps: more steps are better and slower. If absent, as many as suit the model, else 25; see `quality`.
             * @default 25
             */
            num_inference_steps: number | null;
            /** @description For Stable Diffusion XL models; others refuse it. The declared size of the picture before it was scaled, as `1024x768`: small ones make blurred pictures. The picture's own if absent. */
            original_size?: string | null;
            /**
             * Format: int64
             * @description The quality of JPEG files, in percent.
             * @default 100
             */
            output_compression: number | null;
            /**
             * @description The format of the files. WebP is lossless here.
             * @default png
             * @enum {string|null}
             */
            output_format: "png" | "jpeg" | "webp" | null;
            /**
             * Format: int64
             * @description The maximum number of partial pictures in a stream: small previews of the first picture's progress.
             * @default 0
             */
            partial_images: number | null;
            /** @description What the variation shows. Without it the variation follows the picture alone. */
            prompt?: string | null;
            /** @description What the second text encoder of a Stable Diffusion XL model reads instead of the prompt; other models refuse it. */
            prompt_2?: string | null;
            /**
             * @description The language of `prompt` and `negative_prompt`: `plain` (every character is text), `a1111` (AUTOMATIC1111's weights, as `(word:1.2)` and `[word]`, `BREAK`, and prompts of any length), or `compel` (compel's weights, as `word++` and `(a text)1.2`, `("one", "another").blend(1, 0.5)`, `.and()`, and prompts of any length). The model's own if absent, else `plain`.
             * @enum {string|null}
             */
            prompt_syntax?: "plain" | "a1111" | "compel" | null;
            /**
             * @description Denoising steps relative to the model's own: "low" half as many, "high" and "hd" one and a half times, "xhigh" and "max" twice as many. "auto", "medium" and "standard" change nothing. `num_inference_steps` takes precedence.
             * @default auto
             * @enum {string|null}
             */
            quality: "auto" | "low" | "medium" | "standard" | "high" | "hd" | "xhigh" | "max" | null;
            /** @description The model that ends the picture: Stable Diffusion XL's refiner, by a name that `GET /models` lists. It is loaded when its part begins, and decodes the picture. LoRAs and ControlNets change the part before it only. */
            refiner?: string | null;
            /**
             * Format: double
             * @description The share of training's timesteps after which the refiner takes over; only with `refiner`.
             * @default 0.8
             */
            refiner_switch: number | null;
            /**
             * @description Whether the answer has the pictures ("b64_json"), or links to them on this server ("url").
             * @default b64_json
             * @enum {string|null}
             */
            response_format: "b64_json" | "url" | null;
            /**
             * @description The scheduler; the model's own if absent. The names of AUTOMATIC1111 ("DPM++ 2M Karras"), ComfyUI and diffusers are accepted too.
             * @enum {string|null}
             */
            scheduler?: "ddim" | "ddpm" | "pndm" | "lms" | "lms-karras" | "lms-exponential" | "lms-beta" | "euler" | "euler-karras" | "euler-exponential" | "euler-beta" | "euler-ancestral" | "heun" | "heun-karras" | "heun-exponential" | "heun-beta" | "dpmpp-2m" | "dpmpp-2m-karras" | "dpmpp-2m-exponential" | "dpmpp-2m-beta" | "dpmpp-2m-sde" | "dpmpp-2m-sde-karras" | "dpmpp-2m-sde-exponential" | "dpmpp-2m-sde-beta" | "dpmpp-2s" | "dpmpp-2s-karras" | "dpmpp-2s-exponential" | "dpmpp-2s-beta" | "unipc" | "unipc-karras" | "unipc-exponential" | "unipc-beta" | "deis" | "deis-karras" | "deis-exponential" | "deis-beta" | "lcm" | "tcd" | null;
            /**
             * Format: int64
             * @description The noise's seed: the same request with the same seed gives the same pictures. Drawn at random if absent or -1; the answer tells which.
             */
            seed?: number | null;
            /**
             * @description "WIDTHxHEIGHT" in pixels, or "auto": the given picture's size, or else the model's own. The model makes the picture at about its own number of pixels in these proportions, then it is resized.
             * @default auto
             */
            size: string | null;
            /**
             * @description Whether the answer is a stream of server-sent events: partial pictures, then the finished ones.
             * @default false
             */
            stream: boolean | null;
            /**
             * Format: double
             * @description The share of the steps that repaint the picture: 1 with a mask, 0.75 without one, 0.6 for a variation.
             */
            strength?: number | null;
            /**
             * @description Accepted for clients of older models; it has no effect here.
             * @enum {string|null}
             */
            style?: "vivid" | "natural" | null;
            /** @description For Stable Diffusion XL models; others refuse it, and so does its refiner. The declared size of the picture, as `1024x768`; its own if absent. */
            target_size?: string | null;
            /** @description Accepted for OpenAI's clients, and not stored. */
            user?: string | null;
            /**
             * @description The autoencoder that makes the picture of the result: `full`, or `tiny` (TAESD: much faster, and less exact), where the model has one. The operator's choice for the model if absent; `GET /models` lists what each has.
             * @enum {string|null}
             */
            vae?: "full" | "tiny" | null;
        };
        /** @description Pictures. */
        OpenAiImages: {
            /**
             * @description "opaque".
             * @example opaque
             */
            background: string;
            /**
             * Format: int64
             * @description When they were made, in seconds since 1970.
             * @example 1768127400
             */
            created: number;
            /** @description The pictures. */
            data: components["schemas"]["OpenAiImage"][];
            /** @description Unknown keys of the body; absent if there are none. */
            ignored_fields?: components["schemas"]["IgnoredField"][];
            /**
             * @description The format of the files: "png", "jpeg" or "webp".
             * @example png
             */
            output_format: string;
            /**
             * @description The quality, as it was asked for.
             * @example auto
             */
            quality: string;
            /** @description Ways in which the request may not do what it seems to, in sentences; absent if there are none. */
            remarks?: string[];
            /**
             * @description "WIDTHxHEIGHT" in pixels.
             * @example 256x256
             */
            size: string;
        };
        /** @description A model that requests may name. */
        OpenAiModel: {
            /**
             * @description What it can do: `images.generations`, `images.edits`, `images.edits.mask`, `images.variations`, `images.stream`, `images.upscale`,
             *     `videos`, and `videos.input_reference`: videos that start from a picture.
             * @example [
             *       "images.generations",
             *       "images.edits",
             *       "images.edits.mask",
             *       "images.variations",
             *       "images.stream",
             *       "videos",
             *       "videos.input_reference"
             *     ]
             */
            capabilities: string[];
            /**
             * Format: int64
             * @description When this server started, in seconds since 1970: a model's own age is not known.
             * @example 1768127400
             */
            created: number;
            details?: components["schemas"]["Model"] | null;
            /**
             * @description The name by which requests select it in `model`.
             * @example turbo
             */
            id: string;
            /**
             * @description "model".
             * @example model
             */
            object: string;
            /**
             * @description "local" for a model of this machine, else the service that runs it.
             * @example local
             */
            owned_by: string;
        };
        /** @description The models that requests may name. */
        OpenAiModels: {
            /** @description The models, the default one first, and the upscalers last. */
            data: components["schemas"]["OpenAiModel"][];
            /**
             * @description "list".
             * @example list
             */
            object: string;
        };
        /**
         * @description The body of `POST /v1/videos/{id}/remix`.
         * @example {
         *       "prompt": "the same at night"
         *     }
         */
        OpenAiRemixRequest: {
            /** @description What the remix shows. */
            prompt: string;
        };
        /** @description An enlarged picture, in one of two forms. */
        OpenAiUpscaledImage: {
            /**
             * @description The file, base64 with padding; absent with `response_format: url`.
             * @example iVBORw0KGgoAAAANSUhEUgAA...
             */
            b64_json?: string | null;
            /**
             * @description How it was made, as in the file.
             * @example Postprocess upscale by: 4, Postprocess upscaler: RealESRGAN_x4plus
             */
            parameters: string;
            /**
             * @description Where the file is, on this server; absent unless `response_format` is `url`.
             * @example null
             */
            url?: string | null;
        };
        /** @description An enlarged picture in a list of one, as OpenAI's routes of images answer. */
        OpenAiUpscaledImages: {
            /**
             * Format: int64
             * @description When it was made, in seconds since 1970.
             * @example 1768127400
             */
            created: number;
            /** @description The picture. */
            data: components["schemas"]["OpenAiUpscaledImage"][];
            /** @description Unknown keys of the body; absent if there are none. */
            ignored_fields?: components["schemas"]["IgnoredField"][];
            /**
             * @description The format of the file: "png", "jpeg" or "webp".
             * @example png
             */
            output_format: string;
            /** @description Ways in which the request may not do what it seems to, in sentences; absent if there are none. */
            remarks?: string[];
            /**
             * @description "WIDTHxHEIGHT" in pixels.
             * @example 2048x2048
             */
            size: string;
        };
        /** @description A video. */
        OpenAiVideo: {
            /**
             * Format: int64
             * @description When it ended; null until then.
             * @example null
             */
            completed_at?: number | null;
            /**
             * Format: int64
             * @description The same, for clients of an older service.
             * @example 1768127400
             */
            created: number;
            /**
             * Format: int64
             * @description When it was accepted, in seconds since 1970.
             * @example 1768127400
             */
            created_at: number;
            error?: components["schemas"]["OpenAiVideoError"] | null;
            /**
             * Format: double
             * @description The seconds until it is done, by timings of this machine; null if there are none.
             * @example null
             */
            eta_seconds?: number | null;
            /**
             * Format: int64
             * @description When its files are removed at the latest; null: as the operator has set it.
             * @example null
             */
            expires_at?: number | null;
            /**
             * @description Its id.
             * @example video_abc123def456
             */
            id: string;
            /** @description Unknown keys of the body; absent if there are none. */
            ignored_fields?: components["schemas"]["IgnoredField"][];
            /**
             * @description What makes it.
             * @example local
             */
            model: string;
            /**
             * @description "video".
             * @example video
             */
            object: string;
            /**
             * Format: int32
             * @description In percent; 100 only once it is completed.
             * @example 0
             */
            progress: number;
            /**
             * @description What it shows.
             * @example a peaceful sunrise over mountains with mist
             */
            prompt?: string | null;
            /**
             * @description How many jobs are before it in the queue; null unless it waits.
             * @example 0
             */
            queue_position?: number | null;
            /** @description Ways in which the request may not do what it seems to, in sentences; absent if there are none. */
            remarks?: string[];
            /**
             * @description The video that it is a remix of; null if it is none.
             * @example null
             */
            remixed_from_video_id?: string | null;
            /**
             * @description How long it lasts, in seconds.
             * @example 4
             */
            seconds: string;
            /**
             * Format: int64
             * @description The noise's seed.
             * @example 4
             */
            seed?: number | null;
            /**
             * @description "WIDTHxHEIGHT" in pixels.
             * @example 720x1280
             */
            size: string;
            /**
             * @description "queued", "in_progress", "completed" or "failed".
             * @example queued
             */
            status: string;
            /**
             * @description Where it is, once it is completed. `GET /v1/videos/{id}/content` has it too.
             * @example null
             */
            video_url?: string | null;
        };
        /** @description A deleted video. */
        OpenAiVideoDeleted: {
            /**
             * @description true.
             * @example true
             */
            deleted: boolean;
            /**
             * @description Its id.
             * @example video_abc123def456
             */
            id: string;
            /**
             * @description "video.deleted".
             * @example video.deleted
             */
            object: string;
        };
        /** @description Why a video failed. */
        OpenAiVideoError: {
            /**
             * @description A stable word for programs: "cancelled", "refused", "out_of_memory", ..
             * @example cancelled
             */
            code: string;
            /**
             * @description A sentence.
             * @example The video was cancelled
             */
            message: string;
        };
        /** @description The body of `POST /v1/videos` as JSON: OpenAI's fields, and a few of this server's. Unknown keys are ignored, and named in the answer. */
        OpenAiVideoForm: {
            /**
             * @description How the camera moves over a given picture.
             * @enum {string|null}
             */
            camera_motion?: "static" | "pan" | "tilt" | "zoom" | null;
            /**
             * Format: double
             * @description Frames per second.
             * @default 24
             */
            fps: number | null;
            /**
             * Format: double
             * @description Classifier-free guidance of the picture that moves.
             * @default 7.5
             */
            guidance_scale: number | null;
            /**
             * Format: binary
             * @description The picture that it starts from: an http or https address, base64 of a PNG, JPEG or WebP file, a data URL, an object with `image_url`, or in a form a file.
             */
            input_reference?: string;
            /** @description LoRAs and other adapters that change the model of the picture that moves; its usual ones if absent. Tags in the prompt (`<lora:ink:0.8>`) add to them. A service takes none. */
            loras?: (components["schemas"]["Lora"] | string)[] | null;
            /** @description What makes it: "local", a name that `GET /v1/models` lists, or a service's and a model's name. Absent, or a name of OpenAI's own models: as the operator has set it. Another unknown name is 404 with the known ones. */
            model?: string | null;
            /**
             * Format: double
             * @description How much moves in a given picture.
             */
            motion_strength?: number | null;
            /** @description What the picture should not show. */
            negative_prompt?: string | null;
            /**
             * Format: int64
             * @description Denoising steps of the picture that moves.
             * @default 25
             */
            num_inference_steps: number | null;
            /** @description What the video shows. With a picture on this machine: what the picture is repainted to show before it moves, if the operator or `strength` lets prompts repaint it; the answer's `remarks` say so. */
            prompt: string;
            /**
             * @description The scheduler of the picture that moves; the model's own if absent.
             * @enum {string|null}
             */
            scheduler?: "ddim" | "ddpm" | "pndm" | "lms" | "lms-karras" | "lms-exponential" | "lms-beta" | "euler" | "euler-karras" | "euler-exponential" | "euler-beta" | "euler-ancestral" | "heun" | "heun-karras" | "heun-exponential" | "heun-beta" | "dpmpp-2m" | "dpmpp-2m-karras" | "dpmpp-2m-exponential" | "dpmpp-2m-beta" | "dpmpp-2m-sde" | "dpmpp-2m-sde-karras" | "dpmpp-2m-sde-exponential" | "dpmpp-2m-sde-beta" | "dpmpp-2s" | "dpmpp-2s-karras" | "dpmpp-2s-exponential" | "dpmpp-2s-beta" | "unipc" | "unipc-karras" | "unipc-exponential" | "unipc-beta" | "deis" | "deis-karras" | "deis-exponential" | "deis-beta" | "lcm" | "tcd" | null;
            /**
             * Format: double
             * @description How long it lasts, in seconds; a number or a text.
             * @default 4
             */
            seconds: number | null;
            /**
             * Format: int64
             * @description The noise's seed: the same request with the same seed gives the same video. Drawn at random if absent or -1.
             */
            seed?: number | null;
            /** @description "WIDTHxHEIGHT" in pixels; "1280x720" for a picture that is wider than high, else "720x1280" if absent. The model makes frames of its own size, which are resized. */
            size?: string | null;
            /**
             * Format: double
             * @description How much of a given picture the prompt repaints before it moves; as the operator has set it if absent.
             */
            strength?: number | null;
            /**
             * @description The autoencoder of that model: `full`, or `tiny` (TAESD), where it has one. A service takes none.
             * @enum {string|null}
             */
            vae?: "full" | "tiny" | null;
        };
        /**
         * @description The body of `POST /v1/videos` as JSON: OpenAI's fields, and a few of this server's. Unknown keys are ignored, and named in the answer.
         * @example {
         *       "prompt": "a peaceful sunrise over mountains with mist",
         *       "seconds": "4",
         *       "size": "720x1280"
         *     }
         */
        OpenAiVideoRequest: {
            /**
             * @description How the camera moves over a given picture.
             * @enum {string|null}
             */
            camera_motion?: "static" | "pan" | "tilt" | "zoom" | null;
            /**
             * Format: double
             * @description Frames per second.
             * @default 24
             */
            fps: number | null;
            /**
             * Format: double
             * @description Classifier-free guidance of the picture that moves.
             * @default 7.5
             */
            guidance_scale: number | null;
            /** @description The picture that it starts from: an http or https address, base64 of a PNG, JPEG or WebP file, a data URL, an object with `image_url`, or in a form a file. */
            input_reference?: string | {
                image_url: string;
            } | null;
            /** @description LoRAs and other adapters that change the model of the picture that moves; its usual ones if absent. Tags in the prompt (`<lora:ink:0.8>`) add to them. A service takes none. */
            loras?: (components["schemas"]["Lora"] | string)[] | null;
            /** @description What makes it: "local", a name that `GET /v1/models` lists, or a service's and a model's name. Absent, or a name of OpenAI's own models: as the operator has set it. Another unknown name is 404 with the known ones. */
            model?: string | null;
            /**
             * Format: double
             * @description How much moves in a given picture.
             */
            motion_strength?: number | null;
            /** @description What the picture should not show. */
            negative_prompt?: string | null;
            /**
             * Format: int64
             * @description Denoising steps of the picture that moves.
             * @default 25
             */
            num_inference_steps: number | null;
            /** @description What the video shows. With a picture on this machine: what the picture is repainted to show before it moves, if the operator or `strength` lets prompts repaint it; the answer's `remarks` say so. */
            prompt: string;
            /**
             * @description The scheduler of the picture that moves; the model's own if absent.
             * @enum {string|null}
             */
            scheduler?: "ddim" | "ddpm" | "pndm" | "lms" | "lms-karras" | "lms-exponential" | "lms-beta" | "euler" | "euler-karras" | "euler-exponential" | "euler-beta" | "euler-ancestral" | "heun" | "heun-karras" | "heun-exponential" | "heun-beta" | "dpmpp-2m" | "dpmpp-2m-karras" | "dpmpp-2m-exponential" | "dpmpp-2m-beta" | "dpmpp-2m-sde" | "dpmpp-2m-sde-karras" | "dpmpp-2m-sde-exponential" | "dpmpp-2m-sde-beta" | "dpmpp-2s" | "dpmpp-2s-karras" | "dpmpp-2s-exponential" | "dpmpp-2s-beta" | "unipc" | "unipc-karras" | "unipc-exponential" | "unipc-beta" | "deis" | "deis-karras" | "deis-exponential" | "deis-beta" | "lcm" | "tcd" | null;
            /**
             * Format: double
             * @description How long it lasts, in seconds; a number or a text.
             * @default 4
             */
            seconds: number | null;
            /**
             * Format: int64
             * @description The noise's seed: the same request with the same seed gives the same video. Drawn at random if absent or -1.
             */
            seed?: number | null;
            /** @description "WIDTHxHEIGHT" in pixels; "1280x720" for a picture that is wider than high, else "720x1280" if absent. The model makes frames of its own size, which are resized. */
            size?: string | null;
            /**
             * Format: double
             * @description How much of a given picture the prompt repaints before it moves; as the operator has set it if absent.
             */
            strength?: number | null;
            /**
             * @description The autoencoder of that model: `full`, or `tiny` (TAESD), where it has one. A service takes none.
             * @enum {string|null}
             */
            vae?: "full" | "tiny" | null;
        };
        /** @description A page of a list of videos. */
        OpenAiVideos: {
            /** @description The videos. */
            data: components["schemas"]["OpenAiVideo"][];
            /**
             * @description The id of the first; null if there is none.
             * @example video_abc123def456
             */
            first_id?: string | null;
            /**
             * @description Whether there are more.
             * @example false
             */
            has_more: boolean;
            /**
             * @description The id of the last: `after` of the next page.
             * @example video_abc123def456
             */
            last_id?: string | null;
            /**
             * @description "list".
             * @example list
             */
            object: string;
        };
        /**
         * @description The body of `POST /api/v1/images/generate-i2i`: that of `POST /api/v1/images/generate`, and a picture.
         * @example {
         *       "image": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAIAAAACAAgMAAAC+UIlYAAAADFBMVEXypl4wXJbsUDz/7r4yPsOfAAABKUlEQVR42u2VMXLDIBBFv8ClZ+RzpNIBPGMfIvZ5fJ5UuUEocoBUqXMEPKMukn+KgITsxZZgxhXbsBJfb9llQUCxYsWKPcOM9FItIdhsQpdN4GxCTYrh6AtBcvAlQg0AW4ngCrEjSWlBLrAmSXq1EGI9GSYCDQBowoeFhfrPjc5MhKC90wgEOybh01CxJLyj5MnYZukwtJ6XpnrU2EsJTTZhnU3Q2YTbQlwLmryjR7JD7fuhS1ukRuvdNo0A03vvK/bNzi0yIc3x+hizlAjtZKgA4G0i+P4ww4wbXk6h4FhbAP0qCPETzl9wBoDPe5u1Afq986sDgOo1mP19T+go3rnz1U2jmaSmtfEbfSahi/9V1DXXJp4sEz1aDwnVYWlXF0ERFEERPE/wB6qZcyzltyjLAAAAAElFTkSuQmCC",
         *       "prompt": "the sea at night with boats and a moon",
         *       "reference_weight": 0.5,
         *       "width": 1024,
         *       "height": 1024
         *     }
         */
        PictureFromPictureRequest: {
            /**
             * Format: double
             * @description For Stable Diffusion XL's refiner; other models refuse it. The score of the picture's looks; 6 if absent.
             */
            aesthetic_score?: number | null;
            /** @description Where to post the job's result, signed as Standard Webhooks: a public http or https address. */
            callback_url?: string | null;
            /**
             * Format: double
             * @description How closely the picture follows the prompt; 1 or less turns guidance off.
             * @default 7.5
             */
            cfg_scale: number | null;
            /** @description ControlNets: pictures whose edges, depth or poses the result follows. Several are added up. */
            controlnets?: components["schemas"]["ControlNet"][] | null;
            /** @description For Stable Diffusion XL models; others refuse it. The declared position of the picture in the original, as `TOP,LEFT`; `0,0` if absent, which keeps subjects in the middle. */
            crops_coords_top_left?: string | null;
            /**
             * Format: double
             * @description The share of fresh noise in a step, for the schedulers that use it: `ddim` and `tcd` (0 if absent), and `euler-ancestral` (1 if absent). With others it has no effect, and the answer's remarks say so.
             */
            eta?: number | null;
            /**
             * @description Whether ControlNets act on the prompt's half of the guidance only, so that the result follows them without a prompt; a `guidance_scale` of 3 to 5 suits it.
             * @default false
             */
            guess_mode: boolean | null;
            /**
             * Format: int64
             * @description Height in pixels.
             * @default 1080
             */
            height: number | null;
            /** @description A second pass at a larger size ("hires fix"): the picture is enlarged, then repainted. Not with a picture to start from, or a refiner. */
            hires?: null | components["schemas"]["Hires"];
            /** @description The picture: an http or https address, base64 of a PNG, JPEG or WebP file, or a data URL. It is cropped to the requested proportions about its middle. */
            image: string;
            /** @description LoRAs and other adapters that change the model for this picture; the model's usual ones if absent, none if empty. Tags in the prompt (`<lora:ink:0.8>`) add to them. */
            loras?: (components["schemas"]["Lora"] | string)[] | null;
            /** @description Which model makes it, by a name that `GET /models` lists; the default one if absent. One that is not loaded is loaded first. An unknown name is 404 with the known ones. */
            model?: string | null;
            /**
             * Format: double
             * @description For Stable Diffusion XL's refiner; other models refuse it. The score for the negative prompt; 2.5 if absent.
             */
            negative_aesthetic_score?: number | null;
            /** @description `crops_coords_top_left` for the negative prompt; the prompt's if absent. */
            negative_crops_coords_top_left?: string | null;
            /** @description `original_size` for the negative prompt; the prompt's if absent. */
            negative_original_size?: string | null;
            /** @description What the picture should not show. */
            negative_prompt?: string | null;
            /** @description What the second text encoder of a Stable Diffusion XL model reads instead of the negative prompt; other models refuse it. */
            negative_prompt_2?: string | null;
            /** @description `target_size` for the negative prompt; the prompt's if absent. */
            negative_target_size?: string | null;
            /**
             * @description true is refused: this server does not rewrite prompts.
             * @default false
             */
            optimize_prompt: boolean | null;
            /** @description For Stable Diffusion XL models; others refuse it. The declared size of the picture before it was scaled, as `1024x768`: small ones make blurred pictures. The picture's own if absent. */
            original_size?: string | null;
            /** @description What the picture shows. */
            prompt: string;
            /** @description What the second text encoder of a Stable Diffusion XL model reads instead of the prompt; other models refuse it. */
            prompt_2?: string | null;
            /**
             * @description The language of `prompt` and `negative_prompt`: `plain` (every character is text), `a1111` (AUTOMATIC1111's weights, as `(word:1.2)` and `[word]`, `BREAK`, and prompts of any length), or `compel` (compel's weights, as `word++` and `(a text)1.2`, `("one", "another").blend(1, 0.5)`, `.and()`, and prompts of any length). The model's own if absent, else `plain`.
             * @enum {string|null}
             */
            prompt_syntax?: "plain" | "a1111" | "compel" | null;
            /**
             * @description The number of denoising steps: 10, 20, 30 or 50.
             * @default high
             * @enum {string|null}
             */
            quality: "low" | "medium" | "high" | "ultra" | null;
            /**
             * Format: double
             * @description How much of it stays: 1 - `reference_weight` of the steps run on it, and at least one.
             * @default 0.7
             */
            reference_weight: number | null;
            /** @description The model that ends the picture: Stable Diffusion XL's refiner, by a name that `GET /models` lists. It is loaded when its part begins, and decodes the picture. LoRAs and ControlNets change the part before it only. */
            refiner?: string | null;
            /**
             * Format: double
             * @description The share of training's timesteps after which the refiner takes over; only with `refiner`.
             * @default 0.8
             */
            refiner_switch: number | null;
            /**
             * @description The scheduler; the model's own if absent. The names of AUTOMATIC1111 ("DPM++ 2M Karras"), ComfyUI and diffusers are accepted too.
             * @enum {string|null}
             */
            scheduler?: "ddim" | "ddpm" | "pndm" | "lms" | "lms-karras" | "lms-exponential" | "lms-beta" | "euler" | "euler-karras" | "euler-exponential" | "euler-beta" | "euler-ancestral" | "heun" | "heun-karras" | "heun-exponential" | "heun-beta" | "dpmpp-2m" | "dpmpp-2m-karras" | "dpmpp-2m-exponential" | "dpmpp-2m-beta" | "dpmpp-2m-sde" | "dpmpp-2m-sde-karras" | "dpmpp-2m-sde-exponential" | "dpmpp-2m-sde-beta" | "dpmpp-2s" | "dpmpp-2s-karras" | "dpmpp-2s-exponential" | "dpmpp-2s-beta" | "unipc" | "unipc-karras" | "unipc-exponential" | "unipc-beta" | "deis" | "deis-karras" | "deis-exponential" | "deis-beta" | "lcm" | "tcd" | null;
            /**
             * Format: int64
             * @description The noise's seed. Drawn at random if absent or -1; the answer tells which.
             */
            seed?: number | null;
            /**
             * @description The service that should make it. This machine makes it in any case, and the answer says so.
             * @default local
             * @enum {string|null}
             */
            service: "local" | "doubao" | "nano_banana" | "midjourney" | null;
            /**
             * Format: int64
             * @description Denoising steps; takes precedence over `quality`.
             */
            steps?: number | null;
            /**
             * Format: double
             * @description The same from the other end, as in diffusers: the share of the steps.
             */
            strength?: number | null;
            /** @description Appended to the prompt after a comma: "watercolour". */
            style?: string | null;
            /** @description For Stable Diffusion XL models; others refuse it, and so does its refiner. The declared size of the picture, as `1024x768`; its own if absent. */
            target_size?: string | null;
            /**
             * @description The autoencoder that makes the picture of the result: `full`, or `tiny` (TAESD: much faster, and less exact), where the model has one. The operator's choice for the model if absent; `GET /models` lists what each has.
             * @enum {string|null}
             */
            vae?: "full" | "tiny" | null;
            /**
             * Format: int64
             * @description Width in pixels. The model makes the picture at about its own number of pixels in these proportions, then it is resized; the answer has both sizes.
             * @default 1920
             */
            width: number | null;
        };
        /**
         * @description The body of `POST /api/v1/images/generate`. Other programs' names of the fields are accepted; unknown keys are ignored, and named in the answer's `ignored_fields`.
         * @example {
         *       "prompt": "a peaceful sunrise over mountains with mist",
         *       "width": 1920,
         *       "height": 1080,
         *       "quality": "high"
         *     }
         */
        PictureTaskRequest: {
            /**
             * Format: double
             * @description For Stable Diffusion XL's refiner; other models refuse it. The score of the picture's looks; 6 if absent.
             */
            aesthetic_score?: number | null;
            /** @description Where to post the job's result, signed as Standard Webhooks: a public http or https address. */
            callback_url?: string | null;
            /**
             * Format: double
             * @description How closely the picture follows the prompt; 1 or less turns guidance off.
             * @default 7.5
             */
            cfg_scale: number | null;
            /** @description ControlNets: pictures whose edges, depth or poses the result follows. Several are added up. */
            controlnets?: components["schemas"]["ControlNet"][] | null;
            /** @description For Stable Diffusion XL models; others refuse it. The declared position of the picture in the original, as `TOP,LEFT`; `0,0` if absent, which keeps subjects in the middle. */
            crops_coords_top_left?: string | null;
            /**
             * Format: double
             * @description The share of fresh noise in a step, for the schedulers that use it: `ddim` and `tcd` (0 if absent), and `euler-ancestral` (1 if absent). With others it has no effect, and the answer's remarks say so.
             */
            eta?: number | null;
            /**
             * @description Whether ControlNets act on the prompt's half of the guidance only, so that the result follows them without a prompt; a `guidance_scale` of 3 to 5 suits it.
             * @default false
             */
            guess_mode: boolean | null;
            /**
             * Format: int64
             * @description Height in pixels.
             * @default 1080
             */
            height: number | null;
            /** @description A second pass at a larger size ("hires fix"): the picture is enlarged, then repainted. Not with a picture to start from, or a refiner. */
            hires?: null | components["schemas"]["Hires"];
            /** @description LoRAs and other adapters that change the model for this picture; the model's usual ones if absent, none if empty. Tags in the prompt (`<lora:ink:0.8>`) add to them. */
            loras?: (components["schemas"]["Lora"] | string)[] | null;
            /** @description Which model makes it, by a name that `GET /models` lists; the default one if absent. One that is not loaded is loaded first. An unknown name is 404 with the known ones. */
            model?: string | null;
            /**
             * Format: double
             * @description For Stable Diffusion XL's refiner; other models refuse it. The score for the negative prompt; 2.5 if absent.
             */
            negative_aesthetic_score?: number | null;
            /** @description `crops_coords_top_left` for the negative prompt; the prompt's if absent. */
            negative_crops_coords_top_left?: string | null;
            /** @description `original_size` for the negative prompt; the prompt's if absent. */
            negative_original_size?: string | null;
            /** @description What the picture should not show. */
            negative_prompt?: string | null;
            /** @description What the second text encoder of a Stable Diffusion XL model reads instead of the negative prompt; other models refuse it. */
            negative_prompt_2?: string | null;
            /** @description `target_size` for the negative prompt; the prompt's if absent. */
            negative_target_size?: string | null;
            /**
             * @description true is refused: this server does not rewrite prompts.
             * @default false
             */
            optimize_prompt: boolean | null;
            /** @description For Stable Diffusion XL models; others refuse it. The declared size of the picture before it was scaled, as `1024x768`: small ones make blurred pictures. The picture's own if absent. */
            original_size?: string | null;
            /** @description What the picture shows. */
            prompt: string;
            /** @description What the second text encoder of a Stable Diffusion XL model reads instead of the prompt; other models refuse it. */
            prompt_2?: string | null;
            /**
             * @description The language of `prompt` and `negative_prompt`: `plain` (every character is text), `a1111` (AUTOMATIC1111's weights, as `(word:1.2)` and `[word]`, `BREAK`, and prompts of any length), or `compel` (compel's weights, as `word++` and `(a text)1.2`, `("one", "another").blend(1, 0.5)`, `.and()`, and prompts of any length). The model's own if absent, else `plain`.
             * @enum {string|null}
             */
            prompt_syntax?: "plain" | "a1111" | "compel" | null;
            /**
             * @description The number of denoising steps: 10, 20, 30 or 50.
             * @default high
             * @enum {string|null}
             */
            quality: "low" | "medium" | "high" | "ultra" | null;
            /** @description The model that ends the picture: Stable Diffusion XL's refiner, by a name that `GET /models` lists. It is loaded when its part begins, and decodes the picture. LoRAs and ControlNets change the part before it only. */
            refiner?: string | null;
            /**
             * Format: double
             * @description The share of training's timesteps after which the refiner takes over; only with `refiner`.
             * @default 0.8
             */
            refiner_switch: number | null;
            /**
             * @description The scheduler; the model's own if absent. The names of AUTOMATIC1111 ("DPM++ 2M Karras"), ComfyUI and diffusers are accepted too.
             * @enum {string|null}
             */
            scheduler?: "ddim" | "ddpm" | "pndm" | "lms" | "lms-karras" | "lms-exponential" | "lms-beta" | "euler" | "euler-karras" | "euler-exponential" | "euler-beta" | "euler-ancestral" | "heun" | "heun-karras" | "heun-exponential" | "heun-beta" | "dpmpp-2m" | "dpmpp-2m-karras" | "dpmpp-2m-exponential" | "dpmpp-2m-beta" | "dpmpp-2m-sde" | "dpmpp-2m-sde-karras" | "dpmpp-2m-sde-exponential" | "dpmpp-2m-sde-beta" | "dpmpp-2s" | "dpmpp-2s-karras" | "dpmpp-2s-exponential" | "dpmpp-2s-beta" | "unipc" | "unipc-karras" | "unipc-exponential" | "unipc-beta" | "deis" | "deis-karras" | "deis-exponential" | "deis-beta" | "lcm" | "tcd" | null;
            /**
             * Format: int64
             * @description The noise's seed. Drawn at random if absent or -1; the answer tells which.
             */
            seed?: number | null;
            /**
             * @description The service that should make it. This machine makes it in any case, and the answer says so.
             * @default local
             * @enum {string|null}
             */
            service: "local" | "doubao" | "nano_banana" | "midjourney" | null;
            /**
             * Format: int64
             * @description Denoising steps; takes precedence over `quality`.
             */
            steps?: number | null;
            /** @description Appended to the prompt after a comma: "watercolour". */
            style?: string | null;
            /** @description For Stable Diffusion XL models; others refuse it, and so does its refiner. The declared size of the picture, as `1024x768`; its own if absent. */
            target_size?: string | null;
            /**
             * @description The autoencoder that makes the picture of the result: `full`, or `tiny` (TAESD: much faster, and less exact), where the model has one. The operator's choice for the model if absent; `GET /models` lists what each has.
             * @enum {string|null}
             */
            vae?: "full" | "tiny" | null;
            /**
             * Format: int64
             * @description Width in pixels. The model makes the picture at about its own number of pixels in these proportions, then it is resized; the answer has both sizes.
             * @default 1920
             */
            width: number | null;
        };
        /** Format: binary */
        PngFile: string;
        /** @description The data of an event "preview": a small picture of what a step leads to, or of a finished frame. */
        PreviewData: {
            /** @description The frame of the video, from 0; absent for a step. */
            frame?: number | null;
            /**
             * Format: int32
             * @description Height in pixels.
             * @example 96
             */
            height: number;
            /**
             * @description The PNG file as a data URL.
             * @example data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAA...
             */
            image: string;
            /**
             * Format: int32
             * @description The picture or the scene in progress, from 0; absent for a frame.
             */
            part?: number | null;
            /** @description Steps done, from 1; absent for a frame. */
            step?: number | null;
            /** @description Steps of the part; absent for a frame. */
            steps?: number | null;
            /**
             * @description The task's id.
             * @example vid_abc123def456
             */
            task_id: string;
            /**
             * Format: int32
             * @description Width in pixels.
             * @example 96
             */
            width: number;
        };
        /** @description The answer of `GET /ready`. */
        ReadyResponse: {
            /**
             * @description Why it is not ready; null if it is.
             * @example null
             */
            detail?: string | null;
            /**
             * @description Whether the model is loaded.
             * @example true
             */
            model_loaded: boolean;
            /**
             * @description Whether the server accepts work.
             * @example true
             */
            ready: boolean;
            /**
             * @description Whether jobs can be stored.
             * @example true
             */
            store_writable: boolean;
        };
        /** @description The answer of `GET /`. */
        RootResponse: {
            /**
             * @description A sentence that says what it does.
             * @example Pictures and videos from text, made on this machine.
             */
            description: string;
            /**
             * @description "cpu", "cuda" or "metal"; "not set" until the model is loaded.
             * @example cpu
             */
            device: string;
            /**
             * @description The documentation, to try out.
             * @example /docs
             */
            docs: string;
            /** @description The endpoints. */
            endpoints: components["schemas"]["Endpoints"];
            /**
             * @description A sentence that says that it runs.
             * @example Framewright is running
             */
            message: string;
            /**
             * @description The model's name; null until it is loaded.
             * @example nano-sd (embedded)
             */
            model?: string | null;
            /**
             * @description "framewright".
             * @example framewright
             */
            name: string;
            /**
             * @description The documentation, to read.
             * @example /redoc
             */
            redoc: string;
            /**
             * @description "running".
             * @example running
             */
            status: string;
            /**
             * @description The program's version.
             * @example 0.1.0
             */
            version: string;
        };
        /** @description One scene: its prompt, or an object. */
        Scene: string | components["schemas"]["SceneObject"];
        /** @description A scene that differs from the rest. */
        SceneObject: {
            /**
             * Format: double
             * @description How long it lasts, in seconds.
             */
            duration?: number | null;
            /**
             * @description How it changes to the next scene.
             * @enum {string|null}
             */
            join?: "cut" | "crossfade" | "slerp" | null;
            /** @description How it moves; replaces the request's, and makes the scene a moving one. */
            motion?: null | components["schemas"]["Motion"];
            /** @description What it should not show; replaces the request's. */
            negative_prompt?: string | null;
            /** @description What it shows. */
            prompt: string;
            /**
             * Format: int64
             * @description Its own seed; -1 draws one at random.
             */
            seed?: number | null;
            /**
             * @description Whether its picture stands still or is set in motion; still if absent, unless it has a motion.
             * @enum {string|null}
             */
            source?: "still" | "moving" | null;
            /**
             * Format: int64
             * @description Frames between it and the next scene.
             */
            transition_frames?: number | null;
        };
        /** @description A key's use of one service in a month. */
        ServiceUsage: {
            /**
             * Format: double
             * @description The sum reserved for those in progress.
             * @example 0.48
             */
            reserved_usd: number;
            /**
             * @description The service.
             * @example bedrock
             */
            service: string;
            /**
             * Format: double
             * @description Their cost, in US dollars.
             * @example 1.92
             */
            spent_usd: number;
            /**
             * Format: int64
             * @description Requested videos, whatever their outcome.
             * @example 5
             */
            videos: number;
        };
        /** @description One server-sent event of a stream, line by line. */
        StreamedEvent: {
            /**
             * @description JSON: `task_id`, `status`, `at`, and further keys of the kind; the last event has `task`, as in `GET /api/v1/tasks/{id}`; a preview
             *     has the keys of `PreviewData`.
             * @example {"task_id":"vid_abc123def456","status":"processing","at":"2026-01-11T10:30:00Z","progress":42}
             */
            data: string;
            /**
             * @description What happened: "queued", "started", "progress", "part", "requeued", "completed", "failed", "cancelled" or "preview".
             * @example progress
             */
            event?: string | null;
            /**
             * @description Its number, for `Last-Event-ID`; a preview has none.
             * @example 29
             */
            id?: string | null;
        };
        /** @description A task in its current state. */
        Task: {
            /**
             * Format: int32
             * @description How many times it was started: more than once if the server went down meanwhile.
             * @example 1
             */
            attempts: number;
            /**
             * Format: date-time
             * @description When it ended.
             * @example null
             */
            completed_at?: string | null;
            /**
             * Format: date-time
             * @description When it was accepted.
             * @example 2026-01-11T10:30:00Z
             */
            created_at: string;
            error?: components["schemas"]["TaskError"] | null;
            /**
             * Format: double
             * @description Estimated seconds until it is done, from times measured on this machine; null if there are none yet.
             * @example 12.5
             */
            eta_seconds?: number | null;
            /**
             * @description A sentence about its state.
             * @example 45 % done
             */
            message: string;
            /**
             * Format: int32
             * @description Progress in percent; 100 only when it is completed.
             * @example 45
             */
            progress: number;
            /**
             * @description How many jobs are served before it, while it is queued.
             * @example null
             */
            queue_position?: number | null;
            result?: components["schemas"]["TaskResult"] | null;
            /** @description Its status. */
            status: components["schemas"]["TaskStatus"];
            /**
             * @description Its id.
             * @example vid_abc123def456
             */
            task_id: string;
            /**
             * Format: date-time
             * @description When it last changed.
             * @example 2026-01-11T10:30:15.250Z
             */
            updated_at: string;
            waits_for_model?: components["schemas"]["ModelWait"] | null;
        };
        /** @description Why a task failed. */
        TaskError: {
            /**
             * @description The kind of fault: "out_of_memory", "model", "refused", "encoder", "provider", "content_filter", "deadline", "uncertain", "internal" or
             *     "crashed".
             * @example model
             */
            code: string;
            /** @description One line for a person. */
            message: string;
            /**
             * @description Whether the same request may succeed later.
             * @example false
             */
            retryable: boolean;
            /**
             * @description "VideoGenerationError" or "ImageGenerationError" if the request cannot be fulfilled, "ServiceError" if the fault is here or with the
             *     service.
             * @example VideoGenerationError
             */
            type: string;
        };
        /** @description An error below `/api/v1`. */
        TaskErrorBody: {
            /**
             * @description A sentence.
             * @example Task not found: vid_abc123def456
             */
            detail: string;
            /** @description The same for programs. */
            error: components["schemas"]["TaskErrorObject"];
        };
        /** @description The `error` of an error below `/api/v1`. */
        TaskErrorObject: {
            /**
             * @description "TASK_NOT_FOUND", "MODEL_NOT_FOUND", "TASK_CANCELLED", "VALIDATION_ERROR", "BUDGET_EXCEEDED", "RATE_LIMIT_EXCEEDED",
             *     "SERVICE_ERROR", "INTERNAL_ERROR" or "HTTP_ERROR".
             * @example TASK_NOT_FOUND
             */
            code: string;
            /** @description More about it; usually empty. */
            details: Record<string, never>;
            /**
             * @description A sentence.
             * @example Task not found: vid_abc123def456
             */
            message: string;
        };
        /** @description A file of a task. */
        TaskFile: {
            /**
             * Format: int64
             * @description Its size in bytes.
             * @example 1048576
             */
            bytes: number;
            /**
             * @description Whether it has been removed.
             * @example false
             */
            expired: boolean;
            /**
             * @description Its media type.
             * @example video/mp4
             */
            media_type: string;
            /**
             * @description Its name.
             * @example video.mp4
             */
            name: string;
            /** @description Its SHA-256 digest, in hexadecimal. */
            sha256: string;
            /** @description Its URL. */
            url: string;
        };
        /** @description The output of a task. */
        TaskOutput: {
            /** @description All files. */
            files: components["schemas"]["TaskFile"][];
            /**
             * @description Frames per second, a number or a fraction; null for pictures.
             * @example 30
             */
            fps?: string | null;
            /**
             * @description Frames of a video; null for pictures.
             * @example 150
             */
            frames?: number | null;
            /**
             * Format: int32
             * @description Height in pixels.
             * @example 720
             */
            height: number;
            /** @description Unknown keys of the body; absent if there are none. */
            ignored_fields?: components["schemas"]["IgnoredField"][];
            /**
             * @description The URL of the first picture, as PNG; null for videos.
             * @example null
             */
            image_url?: string | null;
            native?: components["schemas"]["NativeOutput"] | null;
            /**
             * @description Whether a text was longer than the model reads, and was cut.
             * @example false
             */
            prompt_truncated: boolean;
            /** @description Remarks on fields that do not do what they seem to. */
            remarks: string[];
            /**
             * Format: int64
             * @description The seed; null if a service drew its own.
             * @example 42
             */
            seed?: number | null;
            /**
             * @description The URL of the video, as MP4; null for pictures.
             * @example http://localhost:8000/files/vid_abc123def456/video.mp4
             */
            video_url?: string | null;
            /**
             * Format: int32
             * @description Width in pixels.
             * @example 1280
             */
            width: number;
        };
        /** @description The result of a task. */
        TaskResult: {
            /**
             * Format: double
             * @description The time spent on it, in seconds.
             * @example 12.5
             */
            duration: number;
            /** @description The output. */
            result: components["schemas"]["TaskOutput"];
            /**
             * @description What made it: "local", "veo3", "bedrock", "pika", "replicate" or "huggingface".
             * @example local
             */
            service: string;
        };
        /**
         * @description The status of a task.
         * @enum {string}
         */
        TaskStatus: "pending" | "processing" | "completed" | "failed" | "cancelled";
        /** @description A task in a list. */
        TaskSummary: {
            /**
             * Format: date-time
             * @description When it was accepted.
             * @example 2026-01-11T10:30:00Z
             */
            created_at: string;
            /**
             * Format: double
             * @description Estimated seconds until it is done.
             * @example 12.5
             */
            eta_seconds?: number | null;
            /**
             * @description A sentence about its state.
             * @example 45 % done
             */
            message: string;
            /**
             * Format: int32
             * @description Progress in percent.
             * @example 45
             */
            progress: number;
            /**
             * @description How many jobs are served before it, while it is queued.
             * @example null
             */
            queue_position?: number | null;
            /** @description Its status. */
            status: components["schemas"]["TaskStatus"];
            /**
             * @description Its id.
             * @example vid_abc123def456
             */
            task_id: string;
            /**
             * Format: date-time
             * @description When it last changed.
             * @example 2026-01-11T10:30:15.250Z
             */
            updated_at: string;
        };
        /** @description All faults of a request below `/api/v1`. */
        TaskValidationErrorBody: {
            /** @description One entry for each fault. */
            detail: components["schemas"]["ValidationErrorDetail"][];
            /** @description The same for programs. */
            error: components["schemas"]["TaskValidationErrorObject"];
        };
        /** @description The `error` object of a validation error. */
        TaskValidationErrorObject: {
            /**
             * @description "VALIDATION_ERROR".
             * @example VALIDATION_ERROR
             */
            code: string;
            /** @description One entry for each fault, as in `detail`. */
            details: components["schemas"]["ValidationErrorDetail"][];
            /**
             * @description A sentence.
             * @example Request validation failed
             */
            message: string;
        };
        /**
         * @description The body of `POST /generate-video` for a video from a text: six seconds of 1280x720 at 24 frames per second. Unknown keys are ignored, and named in the answer.
         * @example {
         *       "text": "a peaceful sunrise over mountains with mist",
         *       "seed": 42
         *     }
         */
        TextToVideoRequest: {
            /** @description Where to post the job's result, signed as Standard Webhooks: a public http or https address. */
            callback_url?: string | null;
            /** @description What makes it: "local", a name that `GET /models` lists, a service's name ("bedrock"), or a service's and a model's ("bedrock/nova-reel"); an unknown name is 404 with the known ones. Absent: as the operator has set it. */
            model?: string | null;
            /**
             * Format: int64
             * @description The noise's seed; null or -1 draws one at random.
             * @default 42
             */
            seed: number | null;
            /** @description What the video shows. */
            text: string;
        };
        /** @description The state of a video from a text. */
        TextToVideoStatus: {
            /** @description Unknown keys of the body; absent if there are none. */
            ignored_fields?: components["schemas"]["IgnoredField"][];
            /**
             * @description The job's id, for `GET /video-status?job_id=`.
             * @example vid_0123456789ab
             */
            job_id: string;
            /**
             * @description The same in words, with the reason if it failed.
             * @example Video generation completed successfully
             */
            message: string;
            /**
             * Format: int32
             * @description Progress in percent, 0 to 100.
             * @example 100
             */
            progress: number;
            /**
             * @description How many jobs are served before it; null unless it is queued.
             * @example null
             */
            queue_position?: number | null;
            /** @description Ways in which the request may not do what it seems to, in sentences; absent if there are none. */
            remarks?: string[];
            /**
             * Format: int64
             * @description The seed.
             * @example 42
             */
            seed?: number | null;
            /**
             * @description "processing" in the first answer; then "inprogress", "completed" or "failed".
             * @example completed
             */
            status: string;
            /**
             * @description The video's URL, which may expire; null until it is completed.
             * @example http://localhost:8000/videos/video_vid_0123456789ab.mp4
             */
            video_url?: string | null;
        };
        /** @description The body of `POST /upload-character`: `multipart/form-data` with one file. */
        UploadCharacterRequest: {
            /**
             * Format: binary
             * @description The picture: a PNG, JPEG or WebP file of at most 8192 pixels a side. The bytes decide its type; but a part that is declared as
             *     something else entirely, such as text/html, is refused.
             */
            character: string;
        };
        /** @description The answer of `POST /upload-character`. */
        UploadCharacterResponse: {
            /**
             * @description The uploaded picture's path, for `characterImageUrl`.
             * @example /uploads/character_5f0c6f5e-3f4b-4d0e-9d3c-0a5f9c1b2d3e.png
             */
            imageUrl: string;
        };
        /** @description A key's use of services in a month. */
        Usage: {
            /**
             * @description The key's name; empty if the server has no keys.
             * @example alice
             */
            key: string;
            /**
             * @description The month, in UTC.
             * @example 2026-11
             */
            month: string;
            /**
             * Format: double
             * @description The sum reserved for videos in progress.
             * @example 0.48
             */
            reserved_usd: number;
            /** @description The same for each service that was used. */
            services: components["schemas"]["ServiceUsage"][];
            /**
             * Format: double
             * @description The cost of the finished videos in US dollars, at the operator's prices.
             * @example 1.92
             */
            spent_usd: number;
        };
        /** @description All faults of a body's fields. */
        ValidationErrorBody: {
            /** @description One entry for each fault. */
            detail: components["schemas"]["ValidationErrorDetail"][];
        };
        /** @description One fault of a field. */
        ValidationErrorDetail: {
            /** @description The rule's limits. */
            ctx?: Record<string, never> | null;
            /** @description The value that was sent; long texts are shortened. */
            input: unknown;
            /**
             * @description The place: "body", then the field's name; inside lists also an index.
             * @example [
             *       "body",
             *       "num_inference_steps"
             *     ]
             */
            loc: unknown[];
            /**
             * @description A sentence that names the limit.
             * @example Input should be less than or equal to 150
             */
            msg: string;
            /**
             * @description The violated rule, in pydantic's vocabulary.
             * @example less_than_equal
             */
            type: string;
        };
        /** @description Facts about a video, and about the motion model's own output. */
        VideoFacts: {
            /**
             * @description Frames per second: a number or a fraction.
             * @example 24
             */
            fps: string;
            /**
             * @description Number of frames.
             * @example 120
             */
            frames: number;
            /**
             * Format: int32
             * @description Height in pixels.
             * @example 768
             */
            height: number;
            /**
             * @description Number of frames that the motion model made; the others are interpolated.
             * @example 35
             */
            nativeFrames?: number | null;
            /**
             * Format: int32
             * @description Height in pixels of such a frame.
             * @example 128
             */
            nativeHeight?: number | null;
            /**
             * Format: int32
             * @description Width in pixels of the motion model's own frames.
             * @example 128
             */
            nativeWidth?: number | null;
            /**
             * Format: int32
             * @description Width in pixels.
             * @example 768
             */
            width: number;
        };
        /** @description The answer of `POST /generate-video/info`. */
        VideoInfo: {
            /**
             * Format: double
             * @description Estimated seconds to make it, from times measured on this machine; null if nothing similar has been measured yet.
             * @example 0.6
             */
            estimated_generation_time_seconds?: number | null;
            /**
             * Format: double
             * @description Frames per second.
             * @example 24
             */
            fps: number;
            /**
             * @description Frames of a scene without its own duration.
             * @example 72
             */
            frames_per_scene: number;
            /** @description Unknown keys of the body; absent if there are none. */
            ignored_fields?: components["schemas"]["IgnoredField"][];
            /**
             * @description "WIDTHxHEIGHT".
             * @example 512x512
             */
            resolution: string;
            /**
             * @description The number of scenes.
             * @example 3
             */
            scenes_count: number;
            /**
             * Format: double
             * @description The length of the video in seconds.
             * @example 10
             */
            total_duration_seconds: number;
            /**
             * @description All frames.
             * @example 240
             */
            total_frames: number;
            /**
             * Format: int32
             * @description Frames of a transition without its own length.
             * @example 12
             */
            transition_frames: number;
        };
        /** @description The answer of `POST /generate-video` for a job. */
        VideoJob: components["schemas"]["Generation"] | components["schemas"]["TextToVideoStatus"];
        /** @description A video's task in `GET /api/v1/videos/{id}`. */
        VideoStatus: {
            /**
             * Format: date-time
             * @description When it was accepted.
             * @example 2026-01-11T10:30:00Z
             */
            created_at: string;
            /**
             * @description Why it failed, if it did, in one line.
             * @example null
             */
            error?: string | null;
            /**
             * Format: int32
             * @description Progress in percent.
             * @example 45
             */
            progress: number;
            /** @description Its status. */
            status: components["schemas"]["TaskStatus"];
            /**
             * @description Its id.
             * @example vid_abc123def456
             */
            task_id: string;
            /**
             * Format: date-time
             * @description When it last changed.
             * @example 2026-01-11T10:30:15Z
             */
            updated_at: string;
            /**
             * @description The URL of the video, if it is completed.
             * @example null
             */
            video_url?: string | null;
        };
        /**
         * @description The body of `POST /api/v1/videos/generate`. Other programs' names of the fields are accepted; unknown keys are ignored, and named in the answer's `ignored_fields`.
         * @example {
         *       "image": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAIAAAACAAgMAAAC+UIlYAAAADFBMVEXypl4wXJbsUDz/7r4yPsOfAAABKUlEQVR42u2VMXLDIBBFv8ClZ+RzpNIBPGMfIvZ5fJ5UuUEocoBUqXMEPKMukn+KgITsxZZgxhXbsBJfb9llQUCxYsWKPcOM9FItIdhsQpdN4GxCTYrh6AtBcvAlQg0AW4ngCrEjSWlBLrAmSXq1EGI9GSYCDQBowoeFhfrPjc5MhKC90wgEOybh01CxJLyj5MnYZukwtJ6XpnrU2EsJTTZhnU3Q2YTbQlwLmryjR7JD7fuhS1ukRuvdNo0A03vvK/bNzi0yIc3x+hizlAjtZKgA4G0i+P4ww4wbXk6h4FhbAP0qCPETzl9wBoDPe5u1Afq986sDgOo1mP19T+go3rnz1U2jmaSmtfEbfSahi/9V1DXXJp4sEz1aDwnVYWlXF0ERFEERPE/wB6qZcyzltyjLAAAAAElFTkSuQmCC",
         *       "duration": 5,
         *       "fps": 30,
         *       "resolution": "1280x720",
         *       "motion_strength": 0.5,
         *       "camera_motion": "pan"
         *     }
         */
        VideoTaskRequest: {
            /** @description Where to post the job's result, signed as Standard Webhooks: a public http or https address. */
            callback_url?: string | null;
            /**
             * @description How the camera moves over the frames: to the right, upwards, in to the middle, or not at all.
             * @default static
             * @enum {string|null}
             */
            camera_motion: "static" | "pan" | "tilt" | "zoom" | null;
            /**
             * Format: double
             * @description How long the video lasts, in seconds: `duration * fps` frames, rounded to a whole number. Long videos take several runs of the model, each of which continues from the last frame of the previous one. If absent: the length of one run.
             */
            duration?: number | null;
            /**
             * Format: double
             * @description Frames per second. Frames between two of the model's are interpolated.
             * @default 30
             */
            fps: number | null;
            /** @description The picture: an http or https address, base64 of a PNG, JPEG or WebP file, or a data URL. It is cropped to the video's proportions about its middle. */
            image: string;
            /** @description LoRAs and other adapters that change the model which repaints the picture; its usual ones if absent. Tags in the prompt (`<lora:ink:0.8>`) add to them. A service takes none. */
            loras?: (components["schemas"]["Lora"] | string)[] | null;
            /** @description What makes it, by a model's name: "local", a name that `GET /models` lists, a service's name, or a service's and a model's ("veo/veo_3_1", "replicate/owner/name"); an unknown name is 404 with the known ones. It takes precedence over `service`. */
            model?: string | null;
            /**
             * Format: double
             * @description How much moves: the model's motion bucket 1 + `motion_strength` x 254.
             * @default 0.5
             */
            motion_strength: number | null;
            /**
             * @description true is refused: this server does not rewrite prompts.
             * @default false
             */
            optimize_prompt: boolean | null;
            /** @description What happens, if a service makes the video. On this machine, what the repainted picture shows, if the operator lets prompts repaint the picture before it moves; otherwise the prompt has no effect, because the motion model reads no text. The answer's `remarks` say which. */
            prompt?: string | null;
            /**
             * @description "WIDTHxHEIGHT" in pixels. The model makes frames of its own size, which the result names; they are resized.
             * @default 1920x1080
             */
            resolution: string | null;
            /**
             * Format: int64
             * @description The noise's seed: the same request with the same seed gives the same video. Drawn at random if absent or -1.
             */
            seed?: number | null;
            /**
             * @description What makes it: "local", "veo3" or another service's name. If the service is not set up, this machine makes the video, and the answer's `remarks` say so. Absent: as the operator has set it.
             * @enum {string|null}
             */
            service?: "local" | "veo3" | "veo" | "bedrock" | "pika" | "replicate" | "huggingface" | null;
            /**
             * @description The autoencoder of that model: `full`, or `tiny` (TAESD), where it has one. A service takes none.
             * @enum {string|null}
             */
            vae?: "full" | "tiny" | null;
        };
        /** @description The answer of `POST /api/v1/videos/generate`. */
        VideoTaskResponse: {
            /** @description Unknown keys of the body; absent if there are none. */
            ignored_fields?: components["schemas"]["IgnoredField"][];
            /**
             * @description A sentence that says where to poll.
             * @example Video generation task submitted. Poll /api/v1/tasks/vid_abc123def456 for status.
             */
            message: string;
            /** @description Remarks on fields that do not do what they seem to. */
            remarks: string[];
            /**
             * Format: int64
             * @description The seed.
             * @example 42
             */
            seed?: number | null;
            /** @description "pending". */
            status: components["schemas"]["TaskStatus"];
            /**
             * @description The task's id.
             * @example vid_abc123def456
             */
            task_id: string;
        };
        /** Format: binary */
        WebPFile: string;
        /** @description What a module made of pictures. */
        WebUiControlImages: {
            /**
             * @description The control images, base64 of PNG files.
             * @example [
             *       "iVBORw0KGgoAAAANSUhEUgAA..."
             *     ]
             */
            images: string[];
            /**
             * @description "Success".
             * @example Success
             */
            info: string;
        };
        /** @description ControlNets. */
        WebUiControlModels: {
            /**
             * @description Their names, as a unit's `model` takes them.
             * @example [
             *       "control_v11p_sd15_canny"
             *     ]
             */
            model_list: string[];
        };
        /** @description A module's settings. */
        WebUiControlModule: {
            /** @description Whether it is used without a ControlNet; always false. */
            model_free: boolean;
            /** @description What `processor_res`, `threshold_a` and `threshold_b` mean; the first has no effect here. */
            sliders: components["schemas"]["WebUiControlSlider"][];
        };
        /** @description What makes control images from pictures. */
        WebUiControlModules: {
            /** @description Their settings. */
            module_detail: {
                [key: string]: components["schemas"]["WebUiControlModule"];
            };
            /**
             * @description Their names, as a unit's `module` takes them.
             * @example [
             *       "none",
             *       "canny"
             *     ]
             */
            module_list: string[];
        };
        /**
         * @description The body of `POST /controlnet/detect`.
         * @example {
         *       "controlnet_module": "canny",
         *       "controlnet_input_images": [
         *         "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAIAAAACAAgMAAAC+UIlYAAAADFBMVEXypl4wXJbsUDz/7r4yPsOfAAABKUlEQVR42u2VMXLDIBBFv8ClZ+RzpNIBPGMfIvZ5fJ5UuUEocoBUqXMEPKMukn+KgITsxZZgxhXbsBJfb9llQUCxYsWKPcOM9FItIdhsQpdN4GxCTYrh6AtBcvAlQg0AW4ngCrEjSWlBLrAmSXq1EGI9GSYCDQBowoeFhfrPjc5MhKC90wgEOybh01CxJLyj5MnYZukwtJ6XpnrU2EsJTTZhnU3Q2YTbQlwLmryjR7JD7fuhS1ukRuvdNo0A03vvK/bNzi0yIc3x+hizlAjtZKgA4G0i+P4ww4wbXk6h4FhbAP0qCPETzl9wBoDPe5u1Afq986sDgOo1mP19T+go3rnz1U2jmaSmtfEbfSahi/9V1DXXJp4sEz1aDwnVYWlXF0ERFEERPE/wB6qZcyzltyjLAAAAAElFTkSuQmCC"
         *       ]
         *     }
         */
        WebUiControlNetDetectRequest: {
            /** @description The pictures. */
            controlnet_input_images?: string[];
            /**
             * @description What makes the control images: `none`, or `canny`.
             * @default none
             */
            controlnet_module: string | null;
            /**
             * Format: double
             * @description For canny: what every pixel of a line exceeds; the default if negative.
             * @default 100
             */
            controlnet_threshold_a: number | null;
            /**
             * Format: double
             * @description For canny: what some pixel of a line exceeds; the default if negative.
             * @default 200
             */
            controlnet_threshold_b: number | null;
        };
        /** @description What holds for all units. */
        WebUiControlSettings: {
            /**
             * @description The most units that act in one request.
             * @example 4
             */
            control_net_unit_count: number;
        };
        /** @description A setting of a module. */
        WebUiControlSlider: {
            /**
             * Format: double
             * @description Its greatest value.
             * @example 2040
             */
            max: number;
            /**
             * Format: double
             * @description Its least value.
             * @example 0
             */
            min: number;
            /**
             * @description Its name.
             * @example Canny Low Threshold
             */
            name: string;
            /**
             * Format: double
             * @description Its default.
             * @example 100
             */
            value: number;
        };
        /** @description The version of the extension's API. */
        WebUiControlVersion: {
            /**
             * Format: int32
             * @description Always 3: units are objects in `alwayson_scripts.ControlNet.args`.
             * @example 3
             */
            version: number;
        };
        /** @description The embeddings that are words of prompts. */
        WebUiEmbeddings: {
            /** @description Empty: embeddings are words of prompts here, and not listed. */
            loaded: Record<string, never>;
            /** @description Empty. */
            skipped: Record<string, never>;
        };
        /** @description An error. */
        WebUiErrorBody: {
            /**
             * @description Empty, as in most answers of the web UI.
             * @example
             */
            body: string;
            /**
             * @description A sentence with the field, its value and its limit.
             * @example steps: Input should be less than or equal to 150 (it is 151)
             */
            detail: string;
            /**
             * @description A stable word for programs.
             * @example validation_error
             */
            error: string;
            /**
             * @description The same as `detail`.
             * @example steps: Input should be less than or equal to 150 (it is 151)
             */
            errors: string;
        };
        /** @description A resized picture. */
        WebUiExtraImage: {
            /**
             * @description What was done, as text.
             * @example Resized to 256x256 by Lanczos
             */
            html_info: string;
            /**
             * @description The picture, base64 of a PNG.
             * @example iVBORw0KGgoAAAANSUhEUgAA...
             */
            image: string;
        };
        /**
         * @description The body of `POST /sdapi/v1/extra-single-image`.
         * @example {
         *       "image": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAIAAAACAAgMAAAC+UIlYAAAADFBMVEXypl4wXJbsUDz/7r4yPsOfAAABKUlEQVR42u2VMXLDIBBFv8ClZ+RzpNIBPGMfIvZ5fJ5UuUEocoBUqXMEPKMukn+KgITsxZZgxhXbsBJfb9llQUCxYsWKPcOM9FItIdhsQpdN4GxCTYrh6AtBcvAlQg0AW4ngCrEjSWlBLrAmSXq1EGI9GSYCDQBowoeFhfrPjc5MhKC90wgEOybh01CxJLyj5MnYZukwtJ6XpnrU2EsJTTZhnU3Q2YTbQlwLmryjR7JD7fuhS1ukRuvdNo0A03vvK/bNzi0yIc3x+hizlAjtZKgA4G0i+P4ww4wbXk6h4FhbAP0qCPETzl9wBoDPe5u1Afq986sDgOo1mP19T+go3rnz1U2jmaSmtfEbfSahi/9V1DXXJp4sEz1aDwnVYWlXF0ERFEERPE/wB6qZcyzltyjLAAAAAElFTkSuQmCC",
         *       "upscaler_1": "Lanczos",
         *       "upscaling_resize": 2
         *     }
         */
        WebUiExtraImageRequest: {
            /**
             * Format: double
             * @description How opaque it is.
             * @default 0
             */
            extras_upscaler_2_visibility: number | null;
            /** @description The picture: base64 of a PNG, JPEG or WebP file, a data URL, or an http or https address. */
            image: string;
            /**
             * Format: int64
             * @description 0 resizes by `upscaling_resize`, 1 to `upscaling_resize_w` and `upscaling_resize_h`.
             * @default 0
             */
            resize_mode: number | null;
            /**
             * @description What enlarges it, as `GET /sdapi/v1/upscalers` lists them; "None" leaves it as it is.
             * @default None
             */
            upscaler_1: string | null;
            /**
             * @description A second upscaler, whose result is laid over the first one's.
             * @default None
             */
            upscaler_2: string | null;
            /**
             * @description Whether a picture of other proportions is cropped to this width and height; if not, it fits inside them.
             * @default true
             */
            upscaling_crop: boolean | null;
            /**
             * Format: double
             * @description The factor.
             * @default 2
             */
            upscaling_resize: number | null;
            /**
             * Format: int64
             * @description The height in pixels.
             * @default 512
             */
            upscaling_resize_h: number | null;
            /**
             * Format: int64
             * @description The width in pixels.
             * @default 512
             */
            upscaling_resize_w: number | null;
        };
        /** @description Resized pictures. */
        WebUiExtraImages: {
            /**
             * @description What was done, as text.
             * @example Resized to 256x256 by Lanczos
             */
            html_info: string;
            /**
             * @description The pictures in order, base64 of PNGs.
             * @example [
             *       "iVBORw0KGgoAAAANSUhEUgAA..."
             *     ]
             */
            images: string[];
        };
        /**
         * @description The body of `POST /sdapi/v1/extra-batch-images`.
         * @example {
         *       "imageList": [
         *         {
         *           "name": "a.png",
         *           "data": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAIAAAACAAgMAAAC+UIlYAAAADFBMVEXypl4wXJbsUDz/7r4yPsOfAAABKUlEQVR42u2VMXLDIBBFv8ClZ+RzpNIBPGMfIvZ5fJ5UuUEocoBUqXMEPKMukn+KgITsxZZgxhXbsBJfb9llQUCxYsWKPcOM9FItIdhsQpdN4GxCTYrh6AtBcvAlQg0AW4ngCrEjSWlBLrAmSXq1EGI9GSYCDQBowoeFhfrPjc5MhKC90wgEOybh01CxJLyj5MnYZukwtJ6XpnrU2EsJTTZhnU3Q2YTbQlwLmryjR7JD7fuhS1ukRuvdNo0A03vvK/bNzi0yIc3x+hizlAjtZKgA4G0i+P4ww4wbXk6h4FhbAP0qCPETzl9wBoDPe5u1Afq986sDgOo1mP19T+go3rnz1U2jmaSmtfEbfSahi/9V1DXXJp4sEz1aDwnVYWlXF0ERFEERPE/wB6qZcyzltyjLAAAAAElFTkSuQmCC"
         *         }
         *       ],
         *       "upscaler_1": "Nearest",
         *       "upscaling_resize": 2
         *     }
         */
        WebUiExtraImagesRequest: {
            /**
             * Format: double
             * @description How opaque it is.
             * @default 0
             */
            extras_upscaler_2_visibility: number | null;
            /** @description The pictures: objects with `data` (base64 of a PNG, JPEG or WebP file, or a data URL) and `name`. */
            imageList?: {
                data: string;
                name?: string | null;
            }[];
            /**
             * Format: int64
             * @description 0 resizes by `upscaling_resize`, 1 to `upscaling_resize_w` and `upscaling_resize_h`.
             * @default 0
             */
            resize_mode: number | null;
            /**
             * @description What enlarges it, as `GET /sdapi/v1/upscalers` lists them; "None" leaves it as it is.
             * @default None
             */
            upscaler_1: string | null;
            /**
             * @description A second upscaler, whose result is laid over the first one's.
             * @default None
             */
            upscaler_2: string | null;
            /**
             * @description Whether a picture of other proportions is cropped to this width and height; if not, it fits inside them.
             * @default true
             */
            upscaling_crop: boolean | null;
            /**
             * Format: double
             * @description The factor.
             * @default 2
             */
            upscaling_resize: number | null;
            /**
             * Format: int64
             * @description The height in pixels.
             * @default 512
             */
            upscaling_resize_h: number | null;
            /**
             * Format: int64
             * @description The width in pixels.
             * @default 512
             */
            upscaling_resize_w: number | null;
        };
        /** @description Pictures. */
        WebUiImages: {
            /**
             * @description The files, base64 without a data URL's head: PNG with a `parameters` chunk, or what `samples_format` says.
             * @example [
             *       "iVBORw0KGgoAAAANSUhEUgAA..."
             *     ]
             */
            images: string[];
            /**
             * @description How they were made: JSON as text, with the web UI's keys (`seed`, `all_seeds`, `infotexts`, ..), and `ignored_fields` and `remarks`.
             * @example {"prompt": "a boat", "seed": 4}
             */
            info: string;
            /** @description The request as it was sent, without its pictures. */
            parameters: Record<string, never>;
        };
        /**
         * @description The body of `POST /sdapi/v1/img2img`: that of `POST /sdapi/v1/txt2img` without a second pass, and a picture.
         * @example {
         *       "init_images": [
         *         "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAIAAAACAAgMAAAC+UIlYAAAADFBMVEXypl4wXJbsUDz/7r4yPsOfAAABKUlEQVR42u2VMXLDIBBFv8ClZ+RzpNIBPGMfIvZ5fJ5UuUEocoBUqXMEPKMukn+KgITsxZZgxhXbsBJfb9llQUCxYsWKPcOM9FItIdhsQpdN4GxCTYrh6AtBcvAlQg0AW4ngCrEjSWlBLrAmSXq1EGI9GSYCDQBowoeFhfrPjc5MhKC90wgEOybh01CxJLyj5MnYZukwtJ6XpnrU2EsJTTZhnU3Q2YTbQlwLmryjR7JD7fuhS1ukRuvdNo0A03vvK/bNzi0yIc3x+hizlAjtZKgA4G0i+P4ww4wbXk6h4FhbAP0qCPETzl9wBoDPe5u1Afq986sDgOo1mP19T+go3rnz1U2jmaSmtfEbfSahi/9V1DXXJp4sEz1aDwnVYWlXF0ERFEERPE/wB6qZcyzltyjLAAAAAElFTkSuQmCC"
         *       ],
         *       "prompt": "a boat",
         *       "denoising_strength": 0.6,
         *       "steps": 4,
         *       "width": 128,
         *       "height": 128,
         *       "seed": 4
         *     }
         */
        WebUiImg2ImgRequest: {
            /** @description Extensions by their names, each with its `args`. There is one, `ControlNet`, whose arguments are its units; others are refused unless they are off (no arguments, or false as the first). */
            alwayson_scripts?: Record<string, never> | null;
            /**
             * Format: int64
             * @description The number of pictures; `batch_size` x `n_iter` is at most 16.
             * @default 1
             */
            batch_size: number | null;
            /**
             * Format: double
             * @description Classifier-free guidance: how closely the picture follows the prompt. If absent, what suits the model, else 7.5.
             * @default 7.5
             */
            cfg_scale: number | null;
            /**
             * Format: int64
             * @description The last layer of the text encoder that is used, counted from the end; 1, or 0, skips none. `CLIP_stop_at_last_layers` in `override_settings` takes precedence.
             */
            clip_skip?: number | null;
            /**
             * Format: double
             * @description The share of the steps that repaint the picture: the one that is sent, or that of the first pass. At least one step is run.
             * @default 0.75
             */
            denoising_strength: number | null;
            /**
             * Format: double
             * @description The share of fresh noise in a step, for the samplers that use it.
             */
            eta?: number | null;
            /**
             * Format: int64
             * @description Height in pixels, likewise.
             */
            height?: number | null;
            /**
             * @description Whether the answer's `parameters` repeat the picture and its mask.
             * @default false
             */
            include_init_images: boolean | null;
            /** @description A list with the picture: base64 of a PNG, JPEG or WebP file, a data URL, or an http or https address. */
            init_images?: string[] | null;
            /**
             * @description Whether the part about the mask alone is made, at the full `width` and `height`, and put back.
             * @default true
             */
            inpaint_full_res: boolean | null;
            /**
             * Format: int64
             * @description The pixels about the mask that belong to that part.
             * @default 0
             */
            inpaint_full_res_padding: number | null;
            /**
             * Format: int64
             * @description What the masked part starts from: 0 colours from around it, 1 the picture, 2 noise, 3 nothing.
             * @default 0
             */
            inpainting_fill: number | null;
            /**
             * @description Whether everything but the mask is repainted.
             * @default false
             */
            inpainting_mask_invert: boolean | null;
            /** @description Where the picture is repainted: a picture that is white there, or, if it is transparent anywhere, opaque there. */
            mask?: string | null;
            /**
             * Format: double
             * @description The blur of the mask's edge, in pixels.
             * @default 4
             */
            mask_blur: number | null;
            /**
             * Format: double
             * @description The same for the mask's width only; it must be the same as `mask_blur_y`.
             */
            mask_blur_x?: number | null;
            /**
             * Format: double
             * @description The same for its height.
             */
            mask_blur_y?: number | null;
            /**
             * Format: int64
             * @description How many times so many pictures are made.
             * @default 1
             */
            n_iter: number | null;
            /** @description What the picture should not show. */
            negative_prompt?: string | null;
            /** @description Options for this request, as `GET /sdapi/v1/options` has them: `sd_model_checkpoint`, `sd_vae`, `CLIP_stop_at_last_layers`, `samples_format`, .. A value that cannot be honoured is refused; unknown names are in `X-Ignored-Fields`. */
            override_settings?: Record<string, never> | null;
            /**
             * @description Whether these options end with the request; if false, they stay set as by `POST /sdapi/v1/options`.
             * @default true
             */
            override_settings_restore_afterwards: boolean | null;
            /** @description What the picture shows, in the web UI's language: `(word:1.2)`, `[word]`, `BREAK`, `<lora:ink:0.8>`, any length. It may be empty. */
            prompt?: string | null;
            /** @description The model that ends the picture: Stable Diffusion XL's refiner, as `GET /sdapi/v1/sd-models` lists it. */
            refiner_checkpoint?: string | null;
            /**
             * Format: double
             * @description The share of the steps after which the refiner takes over.
             * @default 0.8
             */
            refiner_switch_at: number | null;
            /**
             * Format: int64
             * @description How a picture of other proportions becomes as large as the result: 0 stretches it, 1 crops it, 2 fills the edges up, 3 stretches its latents.
             * @default 0
             */
            resize_mode: number | null;
            /** @description The old name of `sampler_name`, which takes precedence. */
            sampler_index?: string | null;
            /** @description The sampler, as `GET /sdapi/v1/samplers` lists them; the old names with a schedule behind them ("DPM++ 2M Karras") too. The model's own if absent. */
            sampler_name?: string | null;
            /**
             * @description Accepted for clients of the web UI; this server keeps no folder of pictures.
             * @default false
             */
            save_images: boolean | null;
            /** @description The schedule, as `GET /sdapi/v1/schedulers` lists them; "Automatic" if absent. */
            scheduler?: string | null;
            /**
             * Format: int64
             * @description The noise's seed; picture k has `seed` + k. Drawn at random if absent or -1; `info` tells which.
             */
            seed?: number | null;
            /**
             * @description Whether the answer has the pictures.
             * @default true
             */
            send_images: boolean | null;
            /**
             * Format: int64
             * @description Denoising steps. If absent, as many as suit the model, else 25.
             * @default 25
             */
            steps: number | null;
            /**
             * Format: int64
             * @description Width in pixels, rounded down to a multiple of 8; the model's own if absent. Width x height is at most 2097152.
             */
            width?: number | null;
        };
        /** @description A LoRA or another adapter. */
        WebUiLora: {
            /**
             * @description The same.
             * @example ink
             */
            alias: string;
            /** @description Empty. */
            metadata: Record<string, never>;
            /**
             * @description Its name in `<lora:NAME:1>`.
             * @example ink
             */
            name: string;
            /**
             * @description The same: no answer has a path of this machine.
             * @example ink
             */
            path: string;
        };
        /** @description Memory in bytes. */
        WebUiMemory: {
            /** @description `error` says that the web UI's numbers of CUDA's allocator do not exist here. */
            cuda: Record<string, never>;
            /** @description This machine's: `used` by this server, and of that `models` by loaded models; `error` if the system does not tell. */
            ram: Record<string, never>;
        };
        /** @description A model that makes pictures. */
        WebUiModel: {
            /** @description Null. */
            config?: string | null;
            /**
             * @description The same as `title`: no answer has a path of this machine.
             * @example turbo
             */
            filename: string;
            /** @description Null: models here are folders as well as files. */
            hash?: string | null;
            /**
             * @description The same.
             * @example turbo
             */
            model_name: string;
            /** @description Null. */
            sha256?: string | null;
            /**
             * @description The name that `sd_model_checkpoint` takes.
             * @example turbo
             */
            title: string;
        };
        /** @description A name. */
        WebUiName: {
            /**
             * @description The name.
             * @example Latent
             */
            name: string;
        };
        /**
         * @description Your options, by the web UI's names.
         * @example {
         *       "sd_model_checkpoint": "local",
         *       "sd_vae": "Automatic",
         *       "CLIP_stop_at_last_layers": 1,
         *       "samples_format": "png"
         *     }
         */
        WebUiOptions: Record<string, never>;
        /** @description How a picture was made, as its file says. */
        WebUiPngInfo: {
            /**
             * @description The text; empty if the file has none.
             * @example a boat
             *     Steps: 4, Sampler: Euler, Seed: 4
             */
            info: string;
            /** @description The file's texts by their names. */
            items: Record<string, never>;
            /** @description The text's parts by their names. */
            parameters: Record<string, never>;
        };
        /**
         * @description The body of `POST /sdapi/v1/png-info`.
         * @example {
         *       "image": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAIAAAACAAgMAAAC+UIlYAAAADFBMVEXypl4wXJbsUDz/7r4yPsOfAAABKUlEQVR42u2VMXLDIBBFv8ClZ+RzpNIBPGMfIvZ5fJ5UuUEocoBUqXMEPKMukn+KgITsxZZgxhXbsBJfb9llQUCxYsWKPcOM9FItIdhsQpdN4GxCTYrh6AtBcvAlQg0AW4ngCrEjSWlBLrAmSXq1EGI9GSYCDQBowoeFhfrPjc5MhKC90wgEOybh01CxJLyj5MnYZukwtJ6XpnrU2EsJTTZhnU3Q2YTbQlwLmryjR7JD7fuhS1ukRuvdNo0A03vvK/bNzi0yIc3x+hizlAjtZKgA4G0i+P4ww4wbXk6h4FhbAP0qCPETzl9wBoDPe5u1Afq986sDgOo1mP19T+go3rnz1U2jmaSmtfEbfSahi/9V1DXXJp4sEz1aDwnVYWlXF0ERFEERPE/wB6qZcyzltyjLAAAAAElFTkSuQmCC"
         *     }
         */
        WebUiPngInfoRequest: {
            /** @description The file: base64 of a PNG, JPEG or WebP, or a data URL. */
            image: string;
        };
        /** @description How far the caller's oldest job of this API is. */
        WebUiProgress: {
            /**
             * @description A small picture of its newest step, base64 of a PNG; null if there is none, or none is wanted.
             * @example null
             */
            current_image?: string | null;
            /**
             * @description The job's id; null if there is none.
             * @example img_abc123def456
             */
            current_task?: string | null;
            /**
             * Format: double
             * @description The estimated seconds until it ends; 0 while unknown.
             * @example 2.5
             */
            eta_relative: number;
            /**
             * Format: double
             * @description The share that is done, 0 to 1; 0 if there is no job.
             * @example 0.4
             */
            progress: number;
            /** @description Its state. */
            state: components["schemas"]["WebUiState"];
            /**
             * @description What it waits for; null if it runs.
             * @example Waiting in the queue
             */
            textinfo?: string | null;
        };
        /** @description A Real-ESRGAN network. */
        WebUiRealEsrgan: {
            /**
             * @description Its name.
             * @example RealESRGAN_x4plus
             */
            name: string;
            /**
             * @description The name again: where its file is concerns the operator only.
             * @example RealESRGAN_x4plus
             */
            path: string;
            /**
             * Format: int64
             * @description The factor that it is made for.
             * @example 4
             */
            scale: number;
        };
        /** @description A sampler. */
        WebUiSampler: {
            /**
             * @description Other names of it.
             * @example [
             *       "dpmpp-2m"
             *     ]
             */
            aliases: string[];
            /**
             * @description Its name.
             * @example DPM++ 2M
             */
            name: string;
            /** @description Empty. */
            options: Record<string, never>;
        };
        /** @description A schedule of noise levels. */
        WebUiScheduler: {
            /** @description Null. */
            aliases?: string[] | null;
            /**
             * Format: double
             * @description Rho, where it has one; else -1.
             * @example 7
             */
            default_rho: number;
            /**
             * @description Its name for people.
             * @example Karras
             */
            label: string;
            /**
             * @description Its name in requests.
             * @example karras
             */
            name: string;
            /** @description False. */
            need_inner_model: boolean;
        };
        /** @description The scripts of the web UI's page. */
        WebUiScripts: {
            /** @description Empty. */
            img2img: string[];
            /** @description Empty. */
            txt2img: string[];
        };
        /** @description The state of the caller's oldest job. */
        WebUiState: {
            /** @description Whether it was interrupted. */
            interrupted: boolean;
            /**
             * @description "Batch 1 out of 2"; empty if there is none.
             * @example Batch 1 out of 2
             */
            job: string;
            /**
             * Format: int32
             * @description The number of batches; 0 if there is no job.
             * @example 2
             */
            job_count: number;
            /**
             * Format: int32
             * @description The batch that is made, from 0.
             * @example 0
             */
            job_no: number;
            /**
             * @description When its request arrived, as YYYYMMDDhhmmss in UTC; "0" if there is none.
             * @example 20260111103000
             */
            job_timestamp: string;
            /**
             * @description The steps of the current picture that are done.
             * @example 8
             */
            sampling_step: number;
            /**
             * @description Its steps.
             * @example 20
             */
            sampling_steps: number;
            /** @description Whether a picture was skipped. */
            skipped: boolean;
            /** @description The same: it ends at its next step. */
            stopping_generation: boolean;
        };
        /**
         * @description The body of `POST /sdapi/v1/txt2img`, as AUTOMATIC1111's web UI has it. Fields for what this server cannot do are accepted while they ask for nothing; unknown keys are ignored, and named in `X-Ignored-Fields`.
         * @example {
         *       "prompt": "a (boat:1.2) on the sea",
         *       "steps": 4,
         *       "width": 128,
         *       "height": 128,
         *       "seed": 4
         *     }
         */
        WebUiTxt2ImgRequest: {
            /** @description Extensions by their names, each with its `args`. There is one, `ControlNet`, whose arguments are its units; others are refused unless they are off (no arguments, or false as the first). */
            alwayson_scripts?: Record<string, never> | null;
            /**
             * Format: int64
             * @description The number of pictures; `batch_size` x `n_iter` is at most 16.
             * @default 1
             */
            batch_size: number | null;
            /**
             * Format: double
             * @description Classifier-free guidance: how closely the picture follows the prompt. If absent, what suits the model, else 7.5.
             * @default 7.5
             */
            cfg_scale: number | null;
            /**
             * Format: int64
             * @description The last layer of the text encoder that is used, counted from the end; 1, or 0, skips none. `CLIP_stop_at_last_layers` in `override_settings` takes precedence.
             */
            clip_skip?: number | null;
            /**
             * Format: double
             * @description The share of the steps that repaint the picture: the one that is sent, or that of the first pass. At least one step is run.
             * @default 0.75
             */
            denoising_strength: number | null;
            /**
             * @description Whether the picture is enlarged and repainted ("hires fix").
             * @default false
             */
            enable_hr: boolean | null;
            /**
             * Format: double
             * @description The share of fresh noise in a step, for the samplers that use it.
             */
            eta?: number | null;
            /**
             * Format: int64
             * @description Height in pixels, likewise.
             */
            height?: number | null;
            /**
             * Format: double
             * @description The second pass's guidance; that of the first if absent.
             */
            hr_cfg?: number | null;
            /** @description The second pass's negative prompt, likewise. */
            hr_negative_prompt?: string | null;
            /** @description The second pass's prompt; that of the first if empty. */
            hr_prompt?: string | null;
            /**
             * Format: int64
             * @description Its width, instead of `hr_scale`; 0 keeps the proportions.
             */
            hr_resize_x?: number | null;
            /**
             * Format: int64
             * @description Its height, likewise.
             */
            hr_resize_y?: number | null;
            /** @description The second pass's sampler; that of the first if absent. */
            hr_sampler_name?: string | null;
            /**
             * Format: double
             * @description How many times larger it becomes.
             * @default 2
             */
            hr_scale: number | null;
            /** @description The second pass's schedule. */
            hr_scheduler?: string | null;
            /**
             * Format: int64
             * @description The steps that repaint it; as many as in the first pass if absent or 0. All of them are run.
             */
            hr_second_pass_steps?: number | null;
            /**
             * Format: int64
             * @description Another name of `hr_second_pass_steps`.
             */
            hr_steps?: number | null;
            /**
             * @description What enlarges it, as `GET /sdapi/v1/upscalers` and `/latent-upscale-modes` list them.
             * @default Latent
             */
            hr_upscaler: string | null;
            /**
             * Format: int64
             * @description How many times so many pictures are made.
             * @default 1
             */
            n_iter: number | null;
            /** @description What the picture should not show. */
            negative_prompt?: string | null;
            /** @description Options for this request, as `GET /sdapi/v1/options` has them: `sd_model_checkpoint`, `sd_vae`, `CLIP_stop_at_last_layers`, `samples_format`, .. A value that cannot be honoured is refused; unknown names are in `X-Ignored-Fields`. */
            override_settings?: Record<string, never> | null;
            /**
             * @description Whether these options end with the request; if false, they stay set as by `POST /sdapi/v1/options`.
             * @default true
             */
            override_settings_restore_afterwards: boolean | null;
            /** @description What the picture shows, in the web UI's language: `(word:1.2)`, `[word]`, `BREAK`, `<lora:ink:0.8>`, any length. It may be empty. */
            prompt?: string | null;
            /** @description The model that ends the picture: Stable Diffusion XL's refiner, as `GET /sdapi/v1/sd-models` lists it. */
            refiner_checkpoint?: string | null;
            /**
             * Format: double
             * @description The share of the steps after which the refiner takes over.
             * @default 0.8
             */
            refiner_switch_at: number | null;
            /** @description The old name of `sampler_name`, which takes precedence. */
            sampler_index?: string | null;
            /** @description The sampler, as `GET /sdapi/v1/samplers` lists them; the old names with a schedule behind them ("DPM++ 2M Karras") too. The model's own if absent. */
            sampler_name?: string | null;
            /**
             * @description Accepted for clients of the web UI; this server keeps no folder of pictures.
             * @default false
             */
            save_images: boolean | null;
            /** @description The schedule, as `GET /sdapi/v1/schedulers` lists them; "Automatic" if absent. */
            scheduler?: string | null;
            /**
             * Format: int64
             * @description The noise's seed; picture k has `seed` + k. Drawn at random if absent or -1; `info` tells which.
             */
            seed?: number | null;
            /**
             * @description Whether the answer has the pictures.
             * @default true
             */
            send_images: boolean | null;
            /**
             * Format: int64
             * @description Denoising steps. If absent, as many as suit the model, else 25.
             * @default 25
             */
            steps: number | null;
            /**
             * Format: int64
             * @description Width in pixels, rounded down to a multiple of 8; the model's own if absent. Width x height is at most 2097152.
             */
            width?: number | null;
        };
        /** @description What enlarges a picture. */
        WebUiUpscaler: {
            /**
             * @description The architecture of a network; null for a built-in one.
             * @example null
             */
            model_name?: string | null;
            /** @description Null. */
            model_path?: string | null;
            /** @description Null. */
            model_url?: string | null;
            /**
             * @description Its name.
             * @example Lanczos
             */
            name: string;
            /**
             * Format: double
             * @description The factor that it is made for.
             * @example 4
             */
            scale: number;
        };
        /** @description An autoencoder. */
        WebUiVae: {
            /**
             * @description The same.
             * @example full
             */
            filename: string;
            /**
             * @description The name that `sd_vae` takes.
             * @example full
             */
            model_name: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
