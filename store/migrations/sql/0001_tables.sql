create schema core;

create schema recon;

create schema portal_v1;

create schema audit;

create schema work;

CREATE TABLE core.account (
    system TEXT NOT NULL,
    province TEXT NOT NULL,
    source_key TEXT NOT NULL,
    account_no TEXT,
    customer_no_billing TEXT,
    customer_name TEXT,
    uscc TEXT,
    org_code TEXT,
    customer_id_crm TEXT,
    account_status TEXT,
    opened_on DATE,
    closed_on DATE,
    arrears_fen BIGINT,
    address TEXT,
    contact_phone TEXT,
    updated_at TIMESTAMP WITH TIME ZONE,
    source_version TIMESTAMP WITH TIME ZONE NOT NULL,
    is_deleted BOOLEAN NOT NULL,
    valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
    valid_to TIMESTAMP WITH TIME ZONE,
    recorded_from BIGINT NOT NULL,
    recorded_to BIGINT,
    row_hash TEXT NOT NULL,
    batch_id BIGINT NOT NULL,
    row_no BIGINT NOT NULL,
    CONSTRAINT pk_account PRIMARY KEY (system, province, source_key, recorded_from)
);

CREATE INDEX ix_account_batch_id_row_no ON core.account (batch_id, row_no);

CREATE UNIQUE INDEX uq_account_current ON core.account (system, province, source_key) WHERE recorded_to is null;

CREATE TABLE core.agreement (
    system TEXT NOT NULL,
    province TEXT NOT NULL,
    source_key TEXT NOT NULL,
    contract_no TEXT,
    customer_key TEXT,
    contract_title TEXT,
    contract_status TEXT,
    signed_on DATE,
    starts_on DATE,
    ends_on DATE,
    amount_fen BIGINT,
    updated_at TIMESTAMP WITH TIME ZONE,
    source_version TIMESTAMP WITH TIME ZONE NOT NULL,
    is_deleted BOOLEAN NOT NULL,
    valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
    valid_to TIMESTAMP WITH TIME ZONE,
    recorded_from BIGINT NOT NULL,
    recorded_to BIGINT,
    row_hash TEXT NOT NULL,
    batch_id BIGINT NOT NULL,
    row_no BIGINT NOT NULL,
    CONSTRAINT pk_agreement PRIMARY KEY (system, province, source_key, recorded_from)
);

CREATE INDEX ix_agreement_batch_id_row_no ON core.agreement (batch_id, row_no);

CREATE UNIQUE INDEX uq_agreement_current ON core.agreement (system, province, source_key) WHERE recorded_to is null;

CREATE TABLE core.bill (
    system TEXT NOT NULL,
    province TEXT NOT NULL,
    source_key TEXT NOT NULL,
    bill_no TEXT,
    account_no TEXT,
    bill_month TEXT,
    item_count BIGINT,
    total_fen BIGINT,
    tax_fen BIGINT,
    issued_on DATE,
    due_on DATE,
    bill_status TEXT,
    source_version TIMESTAMP WITH TIME ZONE NOT NULL,
    is_deleted BOOLEAN NOT NULL,
    valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
    valid_to TIMESTAMP WITH TIME ZONE,
    recorded_from BIGINT NOT NULL,
    recorded_to BIGINT,
    row_hash TEXT NOT NULL,
    batch_id BIGINT NOT NULL,
    row_no BIGINT NOT NULL,
    CONSTRAINT pk_bill PRIMARY KEY (system, province, source_key, recorded_from)
);

CREATE INDEX ix_bill_batch_id_row_no ON core.bill (batch_id, row_no);

CREATE UNIQUE INDEX uq_bill_current ON core.bill (system, province, source_key) WHERE recorded_to is null;

CREATE TABLE core.bill_item (
    system TEXT NOT NULL,
    province TEXT NOT NULL,
    source_key TEXT NOT NULL,
    item_no TEXT,
    bill_no TEXT,
    account_no TEXT,
    product_id_crm TEXT,
    charge_item TEXT,
    item_name TEXT,
    service_no TEXT,
    quantity BIGINT,
    price_fen BIGINT,
    amount_fen BIGINT,
    tax_fen BIGINT,
    charged_from DATE,
    charged_to DATE,
    recorded_to BIGINT,
    batch_id BIGINT NOT NULL,
    row_no BIGINT NOT NULL,
    CONSTRAINT uq_bill_item_source_key_system_province_batch_id UNIQUE (source_key, system, province, batch_id)
)
 PARTITION BY LIST (batch_id);

CREATE TABLE core.contact (
    system TEXT NOT NULL,
    province TEXT NOT NULL,
    source_key TEXT NOT NULL,
    contact_id TEXT,
    customer_key TEXT,
    contact_name TEXT,
    contact_role TEXT,
    phone TEXT,
    email TEXT,
    updated_at TIMESTAMP WITH TIME ZONE,
    source_version TIMESTAMP WITH TIME ZONE NOT NULL,
    is_deleted BOOLEAN NOT NULL,
    valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
    valid_to TIMESTAMP WITH TIME ZONE,
    recorded_from BIGINT NOT NULL,
    recorded_to BIGINT,
    row_hash TEXT NOT NULL,
    batch_id BIGINT NOT NULL,
    row_no BIGINT NOT NULL,
    CONSTRAINT pk_contact PRIMARY KEY (system, province, source_key, recorded_from)
);

CREATE INDEX ix_contact_batch_id_row_no ON core.contact (batch_id, row_no);

CREATE UNIQUE INDEX uq_contact_current ON core.contact (system, province, source_key) WHERE recorded_to is null;

CREATE TABLE core.crosswalk (
    system TEXT NOT NULL,
    province TEXT NOT NULL,
    customer_key TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    rule TEXT NOT NULL,
    evidence JSONB NOT NULL,
    recorded_from BIGINT NOT NULL,
    recorded_to BIGINT,
    CONSTRAINT pk_crosswalk PRIMARY KEY (system, province, customer_key, recorded_from)
);

CREATE INDEX ix_crosswalk_customer_id ON core.crosswalk (customer_id);

CREATE TABLE core.customer (
    system TEXT NOT NULL,
    province TEXT NOT NULL,
    source_key TEXT NOT NULL,
    customer_key TEXT,
    customer_name TEXT,
    short_name TEXT,
    uscc TEXT,
    org_code TEXT,
    licence_no TEXT,
    customer_category TEXT,
    list_status TEXT,
    industry TEXT,
    address TEXT,
    phone TEXT,
    manager_id TEXT,
    manager_name TEXT,
    group_id_group TEXT,
    customer_status TEXT,
    created_on DATE,
    updated_at TIMESTAMP WITH TIME ZONE,
    parent_key TEXT,
    group_level TEXT,
    customer_id_crm TEXT,
    source_version TIMESTAMP WITH TIME ZONE NOT NULL,
    is_deleted BOOLEAN NOT NULL,
    valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
    valid_to TIMESTAMP WITH TIME ZONE,
    recorded_from BIGINT NOT NULL,
    recorded_to BIGINT,
    row_hash TEXT NOT NULL,
    batch_id BIGINT NOT NULL,
    row_no BIGINT NOT NULL,
    CONSTRAINT pk_customer PRIMARY KEY (system, province, source_key, recorded_from)
);

CREATE INDEX ix_customer_batch_id_row_no ON core.customer (batch_id, row_no);

CREATE UNIQUE INDEX uq_customer_current ON core.customer (system, province, source_key) WHERE recorded_to is null;

CREATE TABLE core.golden_customer (
    customer_id TEXT NOT NULL,
    customer_name TEXT,
    short_name TEXT,
    uscc TEXT,
    org_code TEXT,
    licence_no TEXT,
    customer_category TEXT,
    list_status TEXT,
    industry TEXT,
    address TEXT,
    phone TEXT,
    manager_id TEXT,
    manager_name TEXT,
    customer_status TEXT,
    province TEXT,
    parent_customer_id TEXT,
    row_hash TEXT NOT NULL,
    recorded_from BIGINT NOT NULL,
    recorded_to BIGINT,
    CONSTRAINT pk_golden_customer PRIMARY KEY (customer_id, recorded_from)
);

CREATE TABLE core.golden_provenance (
    customer_id TEXT NOT NULL,
    attribute TEXT NOT NULL,
    value TEXT,
    system TEXT NOT NULL,
    province TEXT NOT NULL,
    source_key TEXT NOT NULL,
    entity TEXT NOT NULL,
    batch_id BIGINT NOT NULL,
    row_no BIGINT NOT NULL,
    rule TEXT NOT NULL,
    recorded_from BIGINT NOT NULL,
    recorded_to BIGINT,
    CONSTRAINT pk_golden_provenance PRIMARY KEY (customer_id, attribute, recorded_from)
);

CREATE TABLE core.payment (
    system TEXT NOT NULL,
    province TEXT NOT NULL,
    source_key TEXT NOT NULL,
    payment_no TEXT,
    account_no TEXT,
    bill_no TEXT,
    amount_fen BIGINT,
    payment_kind TEXT,
    payment_channel TEXT,
    paid_at TIMESTAMP WITH TIME ZONE,
    payer_name TEXT,
    source_version TIMESTAMP WITH TIME ZONE NOT NULL,
    is_deleted BOOLEAN NOT NULL,
    valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
    valid_to TIMESTAMP WITH TIME ZONE,
    recorded_from BIGINT NOT NULL,
    recorded_to BIGINT,
    row_hash TEXT NOT NULL,
    batch_id BIGINT NOT NULL,
    row_no BIGINT NOT NULL,
    CONSTRAINT pk_payment PRIMARY KEY (system, province, source_key, recorded_from)
);

CREATE INDEX ix_payment_batch_id_row_no ON core.payment (batch_id, row_no);

CREATE UNIQUE INDEX uq_payment_current ON core.payment (system, province, source_key) WHERE recorded_to is null;

CREATE TABLE core.product (
    system TEXT NOT NULL,
    province TEXT NOT NULL,
    source_key TEXT NOT NULL,
    product_id_crm TEXT,
    customer_key TEXT,
    contract_no TEXT,
    account_no TEXT,
    offering TEXT,
    service_kind TEXT,
    service_no TEXT,
    product_status TEXT,
    started_on DATE,
    ended_on DATE,
    monthly_price_fen BIGINT,
    updated_at TIMESTAMP WITH TIME ZONE,
    source_version TIMESTAMP WITH TIME ZONE NOT NULL,
    is_deleted BOOLEAN NOT NULL,
    valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
    valid_to TIMESTAMP WITH TIME ZONE,
    recorded_from BIGINT NOT NULL,
    recorded_to BIGINT,
    row_hash TEXT NOT NULL,
    batch_id BIGINT NOT NULL,
    row_no BIGINT NOT NULL,
    CONSTRAINT pk_product PRIMARY KEY (system, province, source_key, recorded_from)
);

CREATE INDEX ix_product_batch_id_row_no ON core.product (batch_id, row_no);

CREATE UNIQUE INDEX uq_product_current ON core.product (system, province, source_key) WHERE recorded_to is null;

CREATE TABLE core.product_order (
    system TEXT NOT NULL,
    province TEXT NOT NULL,
    source_key TEXT NOT NULL,
    order_no TEXT,
    customer_no_orders TEXT,
    customer_name TEXT,
    uscc TEXT,
    customer_id_crm TEXT,
    product_id_crm TEXT,
    offering TEXT,
    service_kind TEXT,
    order_action TEXT,
    order_state TEXT,
    order_channel TEXT,
    ordered_at TIMESTAMP WITH TIME ZONE,
    completed_at TIMESTAMP WITH TIME ZONE,
    price_fen BIGINT,
    updated_at TIMESTAMP WITH TIME ZONE,
    source_version TIMESTAMP WITH TIME ZONE NOT NULL,
    is_deleted BOOLEAN NOT NULL,
    valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
    valid_to TIMESTAMP WITH TIME ZONE,
    recorded_from BIGINT NOT NULL,
    recorded_to BIGINT,
    row_hash TEXT NOT NULL,
    batch_id BIGINT NOT NULL,
    row_no BIGINT NOT NULL,
    CONSTRAINT pk_product_order PRIMARY KEY (system, province, source_key, recorded_from)
);

CREATE INDEX ix_product_order_batch_id_row_no ON core.product_order (batch_id, row_no);

CREATE UNIQUE INDEX uq_product_order_current ON core.product_order (system, province, source_key) WHERE recorded_to is null;

CREATE TABLE core.production_job (
    system TEXT NOT NULL,
    province TEXT NOT NULL,
    source_key TEXT NOT NULL,
    job_no TEXT,
    customer_key TEXT,
    order_no TEXT,
    product_id_crm TEXT,
    job_name TEXT,
    team TEXT,
    leader_name TEXT,
    job_state TEXT,
    abort_reason TEXT,
    planned_on DATE,
    finished_on DATE,
    updated_at TIMESTAMP WITH TIME ZONE,
    source_version TIMESTAMP WITH TIME ZONE NOT NULL,
    is_deleted BOOLEAN NOT NULL,
    valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
    valid_to TIMESTAMP WITH TIME ZONE,
    recorded_from BIGINT NOT NULL,
    recorded_to BIGINT,
    row_hash TEXT NOT NULL,
    batch_id BIGINT NOT NULL,
    row_no BIGINT NOT NULL,
    CONSTRAINT pk_production_job PRIMARY KEY (system, province, source_key, recorded_from)
);

CREATE INDEX ix_production_job_batch_id_row_no ON core.production_job (batch_id, row_no);

CREATE UNIQUE INDEX uq_production_job_current ON core.production_job (system, province, source_key) WHERE recorded_to is null;

CREATE TABLE core.resource (
    system TEXT NOT NULL,
    province TEXT NOT NULL,
    source_key TEXT NOT NULL,
    resource_id TEXT,
    product_id_crm TEXT,
    resource_kind TEXT,
    resource_name TEXT,
    bandwidth_mbps BIGINT,
    a_end TEXT,
    z_end TEXT,
    resource_status TEXT,
    updated_at TIMESTAMP WITH TIME ZONE,
    source_version TIMESTAMP WITH TIME ZONE NOT NULL,
    is_deleted BOOLEAN NOT NULL,
    valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
    valid_to TIMESTAMP WITH TIME ZONE,
    recorded_from BIGINT NOT NULL,
    recorded_to BIGINT,
    row_hash TEXT NOT NULL,
    batch_id BIGINT NOT NULL,
    row_no BIGINT NOT NULL,
    CONSTRAINT pk_resource PRIMARY KEY (system, province, source_key, recorded_from)
);

CREATE INDEX ix_resource_batch_id_row_no ON core.resource (batch_id, row_no);

CREATE UNIQUE INDEX uq_resource_current ON core.resource (system, province, source_key) WHERE recorded_to is null;

CREATE TABLE core.work_order (
    system TEXT NOT NULL,
    province TEXT NOT NULL,
    source_key TEXT NOT NULL,
    work_order_no TEXT,
    order_no TEXT,
    step_no BIGINT,
    step_name TEXT,
    department TEXT,
    owner_name TEXT,
    work_order_state TEXT,
    due_rule_at TIMESTAMP WITH TIME ZONE,
    due_promised_at TIMESTAMP WITH TIME ZONE,
    due_contract_at TIMESTAMP WITH TIME ZONE,
    governing_deadline TEXT,
    started_at TIMESTAMP WITH TIME ZONE,
    finished_at TIMESTAMP WITH TIME ZONE,
    updated_at TIMESTAMP WITH TIME ZONE,
    source_version TIMESTAMP WITH TIME ZONE NOT NULL,
    is_deleted BOOLEAN NOT NULL,
    valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
    valid_to TIMESTAMP WITH TIME ZONE,
    recorded_from BIGINT NOT NULL,
    recorded_to BIGINT,
    row_hash TEXT NOT NULL,
    batch_id BIGINT NOT NULL,
    row_no BIGINT NOT NULL,
    CONSTRAINT pk_work_order PRIMARY KEY (system, province, source_key, recorded_from)
);

CREATE INDEX ix_work_order_batch_id_row_no ON core.work_order (batch_id, row_no);

CREATE UNIQUE INDEX uq_work_order_current ON core.work_order (system, province, source_key) WHERE recorded_to is null;

CREATE TABLE hub.attempt (
    attempt_id BIGINT GENERATED ALWAYS AS IDENTITY,
    step TEXT NOT NULL,
    system TEXT,
    feed TEXT,
    province TEXT,
    period TEXT NOT NULL,
    run_id TEXT,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE,
    outcome TEXT,
    error_kind TEXT,
    message TEXT,
    batch_ids BIGINT[] DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_attempt PRIMARY KEY (attempt_id)
);

CREATE INDEX ix_attempt_period_step ON hub.attempt (period, step);

CREATE TABLE hub.batch (
    batch_id BIGINT GENERATED ALWAYS AS IDENTITY,
    system TEXT NOT NULL,
    feed TEXT NOT NULL,
    province TEXT NOT NULL,
    period TEXT NOT NULL,
    kind TEXT NOT NULL,
    resend INTEGER NOT NULL,
    content_digest TEXT NOT NULL,
    delivery JSONB NOT NULL,
    state TEXT NOT NULL,
    refusal_code TEXT,
    refusal_reason TEXT,
    received BIGINT,
    accepted BIGINT,
    quarantined BIGINT,
    duplicate BIGINT,
    refused BIGINT,
    received_fen BIGINT,
    accepted_fen BIGINT,
    quarantined_fen BIGINT,
    duplicate_fen BIGINT,
    refused_fen BIGINT,
    unreadable BIGINT,
    inserted BIGINT,
    updated BIGINT,
    unchanged BIGINT,
    stale BIGINT,
    deleted BIGINT,
    vanished BIGINT,
    inserted_fen BIGINT,
    updated_fen BIGINT,
    unchanged_fen BIGINT,
    stale_fen BIGINT,
    deleted_fen BIGINT,
    gate_digest TEXT,
    object_ends BIGINT[],
    loaded_seq BIGINT,
    superseded_seq BIGINT,
    superseded_by BIGINT,
    landed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    gated_at TIMESTAMP WITH TIME ZONE,
    loaded_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_batch PRIMARY KEY (batch_id),
    CONSTRAINT uq_batch_system_feed_province_period_kind_content_digest UNIQUE (system, feed, province, period, kind, content_digest),
    CONSTRAINT ck_batch_state CHECK (state in ('landed', 'gated', 'refused', 'loaded', 'superseded'))
);

CREATE TABLE hub.clock (
    one_row BOOLEAN DEFAULT true NOT NULL,
    seq BIGINT DEFAULT 0 NOT NULL,
    CONSTRAINT pk_clock PRIMARY KEY (one_row),
    CONSTRAINT ck_clock_one_row CHECK (one_row)
);

CREATE TABLE hub.feed_state (
    system TEXT NOT NULL,
    feed TEXT NOT NULL,
    province TEXT NOT NULL,
    last_period TEXT NOT NULL,
    expected_period TEXT NOT NULL,
    watermark TIMESTAMP WITH TIME ZONE,
    last_batch_id BIGINT NOT NULL,
    CONSTRAINT pk_feed_state PRIMARY KEY (system, feed, province)
);

CREATE TABLE hub.journal (
    seq BIGINT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    event TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL,
    CONSTRAINT pk_journal PRIMARY KEY (seq)
);

CREATE INDEX ix_journal_subject_seq ON hub.journal (subject, seq);

CREATE TABLE hub.missing_feed (
    system TEXT NOT NULL,
    feed TEXT NOT NULL,
    province TEXT NOT NULL,
    period TEXT NOT NULL,
    reason TEXT NOT NULL,
    cycle TEXT,
    noted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    came_batch_id BIGINT,
    CONSTRAINT pk_missing_feed PRIMARY KEY (system, feed, province, period),
    CONSTRAINT ck_missing_feed_reason CHECK (reason in ('not_come', 'skipped'))
);

CREATE TABLE hub.publication (
    publication_id BIGINT GENERATED ALWAYS AS IDENTITY,
    cycle TEXT NOT NULL,
    seq BIGINT NOT NULL,
    derived_seq BIGINT NOT NULL,
    inputs_digest TEXT NOT NULL,
    digests JSONB NOT NULL,
    missing JSONB NOT NULL,
    published_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_publication PRIMARY KEY (publication_id)
);

CREATE TABLE hub.tombstone (
    sha256 TEXT NOT NULL,
    reason TEXT NOT NULL,
    removed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_tombstone PRIMARY KEY (sha256)
);

CREATE TABLE recon.breaks (
    break_id TEXT NOT NULL,
    rule_id TEXT NOT NULL,
    severity TEXT NOT NULL,
    province TEXT,
    subject JSONB NOT NULL,
    left_value TEXT,
    right_value TEXT,
    money_fen BIGINT,
    state TEXT DEFAULT 'open' NOT NULL,
    owner TEXT,
    due_at TIMESTAMP WITH TIME ZONE,
    first_seen_cycle TEXT NOT NULL,
    last_seen_cycle TEXT NOT NULL,
    reopened INTEGER DEFAULT 0 NOT NULL,
    details JSONB DEFAULT '{}' NOT NULL,
    recorded_from BIGINT NOT NULL,
    recorded_to BIGINT,
    CONSTRAINT pk_breaks PRIMARY KEY (break_id, recorded_from)
);

CREATE INDEX ix_breaks_rule_id ON recon.breaks (rule_id);

CREATE TABLE recon.rule_run (
    seq BIGINT NOT NULL,
    rule_id TEXT NOT NULL,
    cycle TEXT NOT NULL,
    subjects BIGINT NOT NULL,
    breaks BIGINT NOT NULL,
    money_fen BIGINT NOT NULL,
    tolerance TEXT NOT NULL,
    passed BOOLEAN NOT NULL,
    ran_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_rule_run PRIMARY KEY (seq, rule_id)
);

CREATE TABLE hub.current_publication (
    one_row BOOLEAN DEFAULT true NOT NULL,
    publication_id BIGINT NOT NULL,
    CONSTRAINT pk_current_publication PRIMARY KEY (one_row),
    CONSTRAINT ck_current_publication_one_row CHECK (one_row),
    CONSTRAINT fk_current_publication_publication_id FOREIGN KEY(publication_id) REFERENCES hub.publication (publication_id)
);

CREATE TABLE hub.gate_result (
    batch_id BIGINT NOT NULL,
    rule_id TEXT NOT NULL,
    severity TEXT NOT NULL,
    error_class TEXT NOT NULL,
    failed_sql BIGINT NOT NULL,
    failed_gx BIGINT,
    CONSTRAINT pk_gate_result PRIMARY KEY (batch_id, rule_id),
    CONSTRAINT fk_gate_result_batch_id FOREIGN KEY(batch_id) REFERENCES hub.batch (batch_id)
);

CREATE TABLE hub.publication_batch (
    publication_id BIGINT NOT NULL,
    batch_id BIGINT NOT NULL,
    CONSTRAINT pk_publication_batch PRIMARY KEY (publication_id, batch_id),
    CONSTRAINT fk_publication_batch_publication_id FOREIGN KEY(publication_id) REFERENCES hub.publication (publication_id),
    CONSTRAINT fk_publication_batch_batch_id FOREIGN KEY(batch_id) REFERENCES hub.batch (batch_id)
);

CREATE TABLE hub.quarantine (
    batch_id BIGINT NOT NULL,
    row_no BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,
    rule_id TEXT NOT NULL,
    detail TEXT,
    object_no SMALLINT NOT NULL,
    byte_offset BIGINT NOT NULL,
    byte_length INTEGER,
    raw BYTEA,
    CONSTRAINT pk_quarantine PRIMARY KEY (batch_id, row_no),
    CONSTRAINT fk_quarantine_batch_id FOREIGN KEY(batch_id) REFERENCES hub.batch (batch_id)
);
