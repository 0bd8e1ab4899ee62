"""The tables of the film-rental data set: sakila's names and keys, wide enough for larger sets."""

from __future__ import annotations

_ID = "INT UNSIGNED NOT NULL"
_OWN_ID = f"{_ID} AUTO_INCREMENT"
_UPDATED = "last_update TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP"


def _key(table: str, column: str, other: str, other_column: str = "") -> str:
    """Return an index on a column and the foreign key that it serves."""
    return (
        f"KEY idx_fk_{column} ({column}), CONSTRAINT fk_{table}_{column} FOREIGN KEY ({column})"
        f" REFERENCES {other} ({other_column or column}) ON UPDATE CASCADE"
    )


# In the order in which they are filled; store and staff name each other.
TABLES: dict[str, tuple[str, ...]] = {
    "language": (f"language_id {_OWN_ID} PRIMARY KEY", "name CHAR(20) NOT NULL", _UPDATED),
    "category": (f"category_id {_OWN_ID} PRIMARY KEY", "name VARCHAR(25) NOT NULL", _UPDATED),
    "actor": (
        f"actor_id {_OWN_ID} PRIMARY KEY",
        "first_name VARCHAR(45) NOT NULL",
        "last_name VARCHAR(45) NOT NULL",
        _UPDATED,
        "KEY idx_actor_last_name (last_name)",
    ),
    "film": (
        f"film_id {_OWN_ID} PRIMARY KEY",
        "title VARCHAR(128) NOT NULL",
        "description TEXT",
        "release_year YEAR",
        f"language_id {_ID}",
        "original_language_id INT UNSIGNED",
        "rental_duration TINYINT UNSIGNED NOT NULL DEFAULT 3",
        "rental_rate DECIMAL(4,2) NOT NULL DEFAULT 4.99",
        "length SMALLINT UNSIGNED",
        "replacement_cost DECIMAL(5,2) NOT NULL DEFAULT 19.99",
        "rating ENUM('G','PG','PG-13','R','NC-17') DEFAULT 'G'",
        "special_features SET('Trailers','Commentaries','Deleted Scenes','Behind the Scenes')",
        _UPDATED,
        "KEY idx_title (title)",
        _key("film", "language_id", "language"),
        _key("film", "original_language_id", "language", "language_id"),
    ),
    "film_actor": (
        f"actor_id {_ID}",
        f"film_id {_ID}",
        _UPDATED,
        "PRIMARY KEY (actor_id, film_id)",
        _key("film_actor", "film_id", "film"),
        "CONSTRAINT fk_film_actor_actor_id FOREIGN KEY (actor_id) REFERENCES actor (actor_id)",
    ),
    "film_category": (
        f"film_id {_ID}",
        f"category_id {_ID}",
        _UPDATED,
        "PRIMARY KEY (film_id, category_id)",
        _key("film_category", "category_id", "category"),
        "CONSTRAINT fk_film_category_film_id FOREIGN KEY (film_id) REFERENCES film (film_id)",
    ),
    "country": (f"country_id {_OWN_ID} PRIMARY KEY", "country VARCHAR(50) NOT NULL", _UPDATED),
    "city": (
        f"city_id {_OWN_ID} PRIMARY KEY",
        "city VARCHAR(50) NOT NULL",
        f"country_id {_ID}",
        _UPDATED,
        _key("city", "country_id", "country"),
    ),
    "address": (
        f"address_id {_OWN_ID} PRIMARY KEY",
        "address VARCHAR(50) NOT NULL",
        "address2 VARCHAR(50)",
        "district VARCHAR(20) NOT NULL",
        f"city_id {_ID}",
        "postal_code VARCHAR(10)",
        "phone VARCHAR(20) NOT NULL",
        _UPDATED,
        _key("address", "city_id", "city"),
    ),
    "store": (
        f"store_id {_OWN_ID} PRIMARY KEY",
        f"manager_staff_id {_ID} UNIQUE",
        f"address_id {_ID}",
        _UPDATED,
        _key("store", "address_id", "address"),
        "CONSTRAINT fk_store_manager_staff_id FOREIGN KEY (manager_staff_id)"
        " REFERENCES staff (staff_id)",
    ),
    "staff": (
        f"staff_id {_OWN_ID} PRIMARY KEY",
        "first_name VARCHAR(45) NOT NULL",
        "last_name VARCHAR(45) NOT NULL",
        f"address_id {_ID}",
        "picture BLOB",
        "email VARCHAR(50)",
        f"store_id {_ID}",
        "active BOOLEAN NOT NULL DEFAULT TRUE",
        "username VARCHAR(16) NOT NULL",
        "password VARCHAR(40)",
        _UPDATED,
        _key("staff", "address_id", "address"),
        _key("staff", "store_id", "store"),
    ),
    "customer": (
        f"customer_id {_OWN_ID} PRIMARY KEY",
        f"store_id {_ID}",
        "first_name VARCHAR(45) NOT NULL",
        "last_name VARCHAR(45) NOT NULL",
        "email VARCHAR(50)",
        f"address_id {_ID}",
        "active BOOLEAN NOT NULL DEFAULT TRUE",
        "create_date DATETIME NOT NULL",
        _UPDATED,
        "KEY idx_last_name (last_name)",
        _key("customer", "store_id", "store"),
        _key("customer", "address_id", "address"),
    ),
    "inventory": (
        f"inventory_id {_OWN_ID} PRIMARY KEY",
        f"film_id {_ID}",
        f"store_id {_ID}",
        _UPDATED,
        "KEY idx_store_id_film_id (store_id, film_id)",
        _key("inventory", "film_id", "film"),
        "CONSTRAINT fk_inventory_store_id FOREIGN KEY (store_id) REFERENCES store (store_id)",
    ),
    "rental": (
        f"rental_id {_OWN_ID} PRIMARY KEY",
        "rental_date DATETIME NOT NULL",
        f"inventory_id {_ID}",
        f"customer_id {_ID}",
        "return_date DATETIME",
        f"staff_id {_ID}",
        _UPDATED,
        "UNIQUE KEY rental_date (rental_date, inventory_id, customer_id)",
        _key("rental", "inventory_id", "inventory"),
        _key("rental", "customer_id", "customer"),
        _key("rental", "staff_id", "staff"),
    ),
    "payment": (
        f"payment_id {_OWN_ID} PRIMARY KEY",
        f"customer_id {_ID}",
        f"staff_id {_ID}",
        "rental_id INT UNSIGNED",
        "amount DECIMAL(5,2) NOT NULL",
        "payment_date DATETIME NOT NULL",
        _UPDATED,
        _key("payment", "staff_id", "staff"),
        _key("payment", "customer_id", "customer"),
        _key("payment", "rental_id", "rental"),
    ),
}


def definition(table: str) -> str:
    """Return the statement that makes a table."""
    columns = ", ".join(TABLES[table])
    return f"CREATE TABLE sakila.{table} ({columns}) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"
